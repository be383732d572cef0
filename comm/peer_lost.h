// What a communication that failed is turned into where there is nobody to decide otherwise.
#pragma once

#include <string>

#include "base/error.h"
#include "comm/communicator.h"

namespace lacuna::comm {

// A peer or the communicator is gone: exit code 76.
class PeerLost : public Error {
 public:
  explicit PeerLost(const std::string& text) : Error(text, ExitCode::kPeerLost) {}
};

// Throws PeerLost when the result is not ok. doing: "comparing the GPUs of the ranks".
inline void require(const CommResult& result, const std::string& doing) {
  if (!result.ok()) throw PeerLost(doing + ": " + result.text);
}

}  // namespace lacuna::comm

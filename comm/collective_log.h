// The last collectives of a communicator, told when one of them does not end: which were started,
// which never finished. Comparing the tails of two ranks shows who left the common order.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/process/clock.h"

namespace lacuna::comm {

class CollectiveLog {
 public:
  // Remembers the last `length` collectives. The clock must outlive the log.
  explicit CollectiveLog(std::size_t length = 16, const Clock& clock = steady_clock());

  // Returns the sequence number, from 1. `kind` must be a literal.
  std::int64_t start(const char* kind, std::size_t bytes);
  void finish(std::int64_t sequence);

  // "#41 sum of 26214400 bytes, done after 0.012 s; #42 sum of 1048576 bytes, open for 300.0 s"
  std::string tail() const;

 private:
  struct Entry {
    std::int64_t sequence = 0;  // 0: never used
    const char* kind = "";
    std::size_t bytes = 0;
    double started = 0, finished = -1;
  };
  std::vector<Entry> ring_;
  const Clock& clock_;
  std::int64_t last_ = 0;
};

}  // namespace lacuna::comm

// A directory that another process works in. Nothing is wrong with it: the other one is at it.
#pragma once

#include <string>

#include "base/error.h"

namespace lacuna {

// Part of the contract of exit codes (docs/exit-codes.md): held by another process, nothing done.
inline constexpr auto kHeldCode = static_cast<ExitCode>(79);

class HeldError : public Error {
 public:
  explicit HeldError(const std::string& text) : Error(text, kHeldCode) {}
};

}  // namespace lacuna

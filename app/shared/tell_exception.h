// The exception under way in words, and the exit code that it means.
#pragma once

#include <string>

#include "base/error.h"

namespace lacuna::app {

struct Told {
  ExitCode code = ExitCode::kError;
  std::string text;
};

// In a catch block: logs what happened as an error, and returns it.
Told tell_exception();

}  // namespace lacuna::app

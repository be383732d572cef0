// Errors that a person can act on, and the exit codes that other programs rely on.
//
// Policy: set-up, I/O and user input throw one of these types; the text says what was tried, on
// which object, what the library said, and what to do next. app/main.cpp turns the type into an
// exit code. Communication returns results instead (see comm/).
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace lacuna {

// Part of the command-line contract: batch scripts and the supervisor decide by these numbers.
enum class ExitCode : int {
  kDone = 0,
  kError = 1,
  kBadUsage = 2,         // bad usage or configuration: never requeue
  kSavedOnRequest = 75,  // stopped on request after a good save: requeue
  kPeerLost = 76,        // requeue, counted
  kDiverged = 77,        // do not requeue
};

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text, ExitCode code = ExitCode::kError)
      : std::runtime_error(text), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Bad configuration or usage: exit code 2.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& text) : Error(text, ExitCode::kBadUsage) {}
};

// A file or data set that cannot be used: exit code 1.
class DataError : public Error {
 public:
  explicit DataError(const std::string& text) : Error(text) {}
};

// throw_error<DataError>("{}: not a gzip stream. Copy the file again.", path)
template <typename Type, typename... Args>
[[noreturn]] void throw_error(fmt::format_string<Args...> format, Args&&... args) {
  throw Type(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lacuna

// Runs the program that is being tested, as a user would.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <sys/wait.h>

#include "tests/base/temporary_directory.h"

namespace lacuna {

struct ProgramResult {
  int code = -1;
  std::string output, error;
};

// `arguments` as a shell takes them. LACUNA_PROGRAM names the program (tools/run-tests sets it).
inline ProgramResult run_program(const std::string& arguments) {
  const TemporaryDirectory directory;
  const auto read = [&](const char* name) {
    std::ostringstream text;
    text << std::ifstream(directory / name).rdbuf();
    return text.str();
  };
  const char* program = std::getenv("LACUNA_PROGRAM");
  const int status =
      std::system(fmt::format("'{}' {} >'{}' 2>'{}'", program ? program : "lacuna", arguments,
                              (directory / "out").string(), (directory / "err").string())
                      .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
}

}  // namespace lacuna

// Runs Python of the project's environment, for comparison with other software.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "base/files/temporary_directory.h"

namespace lacuna {

inline bool has_python() { return std::getenv("LACUNA_PYTHON") != nullptr; }

// True when the script ended well; its output goes to the test's. `argument` is sys.argv[1].
inline bool run_python(const std::string& script, const std::filesystem::path& argument) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "script.py") << script;
  const std::string line = fmt::format("'{}' '{}' '{}'", std::getenv("LACUNA_PYTHON"),
                                       (directory / "script.py").string(), argument.string());
  return std::system(line.c_str()) == 0;
}

}  // namespace lacuna

// A test that compares with Python software is skipped where it was started without run-tests.
#define LACUNA_NEEDS_PYTHON() \
  if (!::lacuna::has_python()) GTEST_SKIP() << "LACUNA_PYTHON is not set: use tools/run-tests"

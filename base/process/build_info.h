// Which build of the program this is: for `lacuna --version`, run.json and reports.
//
// Constant after start, thread-safe.
#pragma once

#include <string>

namespace lacuna {

struct BuildInfo {
  std::string version;     // "0.1.0"
  std::string commit;      // "3f674c3", "3f674c3+changes", or "unknown" outside a git checkout
  std::string compiler;    // "GCC 12.2.0"
  std::string build_type;  // "Release"
  std::string arch;        // the oldest CPU it runs on: "x86-64-v3"
};

const BuildInfo& build_info();

}  // namespace lacuna

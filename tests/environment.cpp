// What tests read from their environment (tools/run-tests sets it), for a test program that is
// started by hand: the values of its own build. Part of every test program.
#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace {

[[maybe_unused]] const bool prepared = [] {
  ::setenv("LACUNA_PROGRAM", LACUNA_TEST_PROGRAM, /*overwrite=*/0);
  ::setenv("LACUNA_SOURCE", LACUNA_TEST_SOURCE, 0);
  ::setenv("LACUNA_PYTHON", LACUNA_TEST_PYTHON, 0);
  ::setenv("THP_MEM_ALLOC_ENABLE", "1", 0);  // as the program does: large tensors on huge pages
  for (const char* name : {"LACUNA_PROGRAM", "LACUNA_SOURCE", "LACUNA_PYTHON"}) {
    const char* path = std::getenv(name);
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) continue;
    std::cerr << "note: " << name << " is " << path
              << ", which is not there: tests that need it will fail. Build it (tools/build, "
                 "tools/setup test) or set the variable.\n";
  }
  return true;
}();

}  // namespace

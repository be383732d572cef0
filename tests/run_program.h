// Runs the built program as a user would, and returns what it printed.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <sys/wait.h>

#include "base/files/temporary_directory.h"

namespace lacuna {

struct ProgramResult {
  int code = -1;
  std::string out;  // standard output
  std::string err;  // standard error
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

using Scratch = TemporaryDirectory;

// `arguments` as in a shell; paths in tests hold no spaces.
inline ProgramResult run_program(const std::string& arguments) {
  const char* program = std::getenv("LACUNA_PROGRAM");
  if (program == nullptr)
    throw std::runtime_error("LACUNA_PROGRAM is not set: use tools/run-tests");
  const Scratch scratch;
  const std::string command = std::string(program) + " " + arguments + " 2>" + scratch.text("err");
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start " + command);
  ProgramResult result;
  std::array<char, 4096> buffer{};
  for (std::size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.out.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.err = read_text(scratch / "err");
  return result;
}

}  // namespace lacuna

// Runs the built program as a user would, and returns what it printed.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/wait.h>

namespace lacuna::tests {

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

// A directory that is removed with the object.
class Scratch {
 public:
  Scratch() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("lacuna-test-" + std::to_string(random()) + std::to_string(random()));
    std::filesystem::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::string text(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

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

}  // namespace lacuna::tests

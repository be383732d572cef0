// A program that this one starts and that does not outlive it.
//
// It gets a process group of its own, so that Ctrl-C at a terminal reaches only us, and reads
// /dev/null, so that it is never stopped for reading the terminal from the background. It is sent
// SIGTERM when the thread that started it ends, even by SIGKILL; so start it from a thread that
// outlives it. The destructor kills the group. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace lacuna {

struct ChildOptions {
  std::vector<std::string> command;                // the program, found through PATH, and arguments
  std::map<std::string, std::string> environment;  // added to ours, replacing names that are there
  bool capture_output = false;                     // standard output goes to output()
  bool capture_error = false;                      // standard error goes to error()
  std::vector<std::string> removed{};              // names of ours that it does not get
  // What is not captured is appended to this file instead of going where ours goes: it can still be
  // written when we are gone. Empty: none.
  std::string output_file{};
};

class ChildProcess {
 public:
  // Throws Error when the program cannot be started.
  explicit ChildProcess(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Waits and collects captured text. The exit code once it has ended, 128 + N after signal N;
  // nothing when it still runs after `seconds`, or earlier when a signal arrives here.
  std::optional<int> wait(double seconds);
  // To the program alone, not to its group. Nothing happens once it has ended.
  void signal(int number) const;
  // SIGTERM to the group, SIGKILL after `grace` seconds. Returns the exit code as wait() does.
  int end(double grace);

  // What was captured since the last call.
  std::string take_output() { return std::exchange(output_.text, {}); }
  std::string take_error() { return std::exchange(error_.text, {}); }

 private:
  struct Stream {
    int descriptor = -1;  // our end of the pipe
    std::string text;
  };
  static void drain(Stream& stream);
  void close_streams();

  pid_t pid_ = -1;
  std::optional<int> code_;
  Stream output_, error_;
};

struct CommandResult {
  std::optional<int> code;  // as ChildProcess::wait(); nothing when it was killed at the deadline
  std::string output, error;
};

// Runs a program to its end with both streams captured. Throws Error when it cannot be started.
CommandResult run_command(ChildOptions options, double deadline_seconds);

}  // namespace lacuna

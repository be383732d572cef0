#include "base/process/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace lacuna {
namespace {

// How long a program may take to start: it may lie on storage that hangs.
constexpr double kStartSeconds = 20;
// How long a wait sleeps before it asks again whether the program has ended.
constexpr double kAskSeconds = 0.02;
constexpr double kKillSeconds = 10;  // from SIGKILL until a process is given up

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw_error<Error>("a pipe cannot be made: {}. Raise the limit of open files (ulimit -n).",
                       std::strerror(errno));
  }
  return ends;
}

int open_output(const std::string& path) {
  if (path.empty()) return -1;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) {
    throw_error<DataError>("{}: cannot be opened for writing: {}. Check permissions and space.",
                           path, std::strerror(errno));
  }
  return file;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added,
                                            const std::vector<std::string>& removed) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry, name = text.substr(0, text.find('='));
    const bool leaves = std::find(removed.begin(), removed.end(), name) != removed.end();
    if (!leaves && !added.contains(name)) merged.push_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// In the new process, where only async-signal-safe calls are allowed. Reports errno to `report`.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, int error,
                         int report, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);  // it ended before it could be watched
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  if (error >= 0) ::dup2(error, STDERR_FILENO);
  ::execvpe(arguments[0], arguments, environment);
  const int code = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &code, sizeof code);
  ::_exit(127);
}

// Why exec failed, or 0. The pipe ends without a byte once exec has closed its other end. A program
// that takes too long counts as started: whoever waits for it has a deadline of their own.
int start_error(int report) {
  int code = 0;
  for (const double deadline = now() + kStartSeconds; now() < deadline;) {
    pollfd answer{report, POLLIN, 0};
    const int milliseconds = static_cast<int>(1000 * (deadline - now())) + 1;
    if (::poll(&answer, 1, milliseconds) < 0 && errno == EINTR) continue;
    if (answer.revents == 0) continue;
    if (::read(report, &code, sizeof code) >= 0 || errno != EINTR) return code;
  }
  return 0;
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = merged_environment(options.environment, options.removed);
  const std::vector<char*> arguments = pointers(command), variables = pointers(environment);
  const int file = open_output(options.output_file);
  const std::array<int, 2> report = make_pipe();
  std::array<int, 2> output{-1, file}, error{-1, file};
  if (options.capture_output) output = make_pipe();
  if (options.capture_error) error = make_pipe();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    become(arguments.data(), variables.data(), output[1], error[1], report[1], parent);
  }
  int code = pid_ < 0 ? errno : 0;
  for (const int end : {report[1], options.capture_output ? output[1] : -1,
                        options.capture_error ? error[1] : -1, file}) {
    if (end >= 0) ::close(end);
  }
  output_.descriptor = output[0];
  error_.descriptor = error[0];
  for (const int end : {output[0], error[0]}) {
    if (end >= 0) ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  if (pid_ > 0) {
    code = start_error(report[0]);
    ::setpgid(pid_, pid_);
  }
  ::close(report[0]);
  if (code == 0) return;
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  close_streams();
  throw_error<Error>("{} cannot be started: {}. Install it, or put it on PATH.",
                     options.command.front(), std::strerror(code));
}

ChildProcess::~ChildProcess() {
  if (!code_) end(0);
  close_streams();
}

void ChildProcess::drain(Stream& stream) {
  std::array<char, 4096> buffer;
  while (stream.descriptor >= 0) {
    const ssize_t size = ::read(stream.descriptor, buffer.data(), buffer.size());
    if (size > 0) {
      stream.text.append(buffer.data(), static_cast<std::size_t>(size));
    } else if (size == 0) {
      ::close(std::exchange(stream.descriptor, -1));
    } else if (errno != EINTR) {
      return;  // nothing there for now
    }
  }
}

void ChildProcess::close_streams() {
  for (Stream* stream : {&output_, &error_}) {
    if (stream->descriptor >= 0) ::close(std::exchange(stream->descriptor, -1));
  }
}

std::optional<int> ChildProcess::wait(double seconds) {
  const double deadline = now() + seconds;
  while (!code_) {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    drain(output_);  // after the question: what an ended program wrote is in the pipe by now
    drain(error_);
    if (ended == pid_) {
      code_ = exit_code(status);
      break;
    }
    const double left = deadline - now();
    if (left <= 0) return std::nullopt;
    std::array<pollfd, 2> watched{
        {{output_.descriptor, POLLIN, 0}, {error_.descriptor, POLLIN, 0}}};  // -1 is skipped
    const int milliseconds = static_cast<int>(1000 * std::min(left, kAskSeconds)) + 1;
    if (::poll(watched.data(), watched.size(), milliseconds) < 0 && errno == EINTR) {
      return std::nullopt;
    }
  }
  return code_;
}

void ChildProcess::signal(int number) const {
  if (!code_) ::kill(pid_, number);
}

int ChildProcess::end(double grace) {
  // Its own children may outlive the program: the group is signalled even when it has ended.
  ::kill(-pid_, SIGTERM);
  for (const double deadline = now() + grace; !code_ && now() < deadline;) {
    wait(deadline - now());
  }
  ::kill(-pid_, SIGKILL);
  for (const double deadline = now() + kKillSeconds; !code_ && now() < deadline;) {
    wait(deadline - now());
  }
  // One that hangs in the kernel ends when that lets it; nobody waits for it any more.
  if (!code_) code_ = 128 + SIGKILL;
  return *code_;
}

CommandResult run_command(ChildOptions options, double deadline_seconds) {
  options.capture_output = options.capture_error = true;
  ChildProcess child(options);
  CommandResult result;
  for (const double deadline = now() + deadline_seconds; !result.code && now() < deadline;) {
    result.code = child.wait(deadline - now());
  }
  if (!result.code) child.end(1);
  result.output = child.take_output();
  result.error = child.take_error();
  return result;
}

}  // namespace lacuna

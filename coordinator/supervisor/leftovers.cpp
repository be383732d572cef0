#include "coordinator/supervisor/leftovers.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr auto kAsk = std::chrono::milliseconds(10);
constexpr double kKillDeadline = 10;  // seconds after SIGKILL

bool has_mark(const std::string& environment, const std::string& mark) {
  return ('\0' + environment).find('\0' + mark + '\0') != std::string::npos;
}

// True when none is left within `seconds`.
bool all_leave(const std::string& run_id, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!processes_of(run_id).empty()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kAsk);
  }
  return true;
}

}  // namespace

std::vector<pid_t> processes_of(const std::string& run_id) {
  const std::string mark = std::string(kRunIdVariable) + "=" + run_id;
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size() || pid == ::getpid()) continue;
    // Empty for a zombie; not readable for other users' processes.
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string environment{std::istreambuf_iterator<char>(file), {}};
    if (has_mark(environment, mark)) found.push_back(pid);
  }
  return found;
}

int end_processes_of(const std::string& run_id, double patience) {
  if (all_leave(run_id, patience)) return 0;
  const std::vector<pid_t> left = processes_of(run_id);
  if (left.empty()) return 0;
  log::warn("killing processes {} that an earlier attempt left", fmt::join(left, ", "));
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  if (!all_leave(run_id, kKillDeadline)) {
    throw_error<Error>(
        "processes {} of an earlier attempt do not end after SIGKILL: they hang in the kernel, "
        "most often on a file system or a GPU. Look at dmesg; use another machine.",
        fmt::join(processes_of(run_id), ", "));
  }
  return static_cast<int>(left.size());
}

SharedScratch::SharedScratch(const std::string& run_id) {
  // The name is short: sockets lie deep below it, and their paths hold 107 characters.
  const std::string path = fmt::format("/dev/shm/lacuna-{}-{}", ::geteuid(), run_id);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return;
  struct stat info {};
  // Anybody may write to /dev/shm: what stands there already must be a directory of ours.
  const bool ours =
      ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
  if (!ours) return;
  path_ = path;
  clear();
}

SharedScratch::~SharedScratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void SharedScratch::clear() {
  if (path_.empty()) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace lacuna::coordinator

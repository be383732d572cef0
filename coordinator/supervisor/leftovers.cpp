#include "coordinator/supervisor/leftovers.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"
#include "coordinator/status/process_state.h"

namespace lacuna::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr auto kAsk = std::chrono::milliseconds(10);
constexpr double kKillDeadline = 10;  // seconds after SIGKILL

constexpr const char* kMemory = "/dev/shm";

// Name of the directory of a run; followed by its id.
std::string scratch_prefix() { return fmt::format("lacuna-{}-", ::geteuid()); }

bool has_mark(const std::string& environment, const std::string& mark) {
  return environment.find('\0' + mark + '\0') != std::string::npos;
}

// The number behind NAME= in an environment (with a NUL in front), or -1.
int number_in(const std::string& environment, const std::string& name) {
  const std::string mark = '\0' + name + '=';
  const std::size_t at = environment.find(mark);
  return at == std::string::npos ? -1 : std::atoi(environment.c_str() + at + mark.size());
}

// Calls `found` with id and environment of every other process that carries the mark.
void for_each_process(const std::string& run_id,
                      const std::function<void(pid_t, const std::string&)>& found) {
  const std::string mark = std::string(kRunIdVariable) + "=" + run_id;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size() || pid == ::getpid()) continue;
    // Empty for a zombie; not readable for other users' processes.
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string environment = '\0' + std::string{std::istreambuf_iterator<char>(file), {}};
    if (has_mark(environment, mark)) found(pid, environment);
  }
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
  std::vector<pid_t> all;
  for_each_process(run_id, [&](pid_t pid, const std::string&) { all.push_back(pid); });
  return all;
}

std::vector<RankProcess> rank_processes_of(const std::string& run_id) {
  std::vector<RankProcess> ranks;
  for_each_process(run_id, [&](pid_t pid, const std::string& environment) {
    int rank = number_in(environment, "OMPI_COMM_WORLD_RANK");
    if (rank < 0) rank = number_in(environment, "PMIX_RANK");
    if (rank >= 0) ranks.push_back({pid, rank, process_state(pid)});
  });
  return ranks;
}

int end_processes_of(const std::string& run_id, double patience) {
  if (all_leave(run_id, patience)) return 0;
  const std::vector<pid_t> left = processes_of(run_id);
  if (left.empty()) return 0;
  log::warn("killing processes {} that an earlier attempt left", fmt::join(left, ", "));
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  if (!all_leave(run_id, kKillDeadline)) {
    // Lost, not wrong: elsewhere, or later, the same command goes on.
    throw Error(
        fmt::format("processes {} of an earlier attempt do not end after SIGKILL: they hang in the "
                    "kernel, most often on a file system or a GPU. Look at dmesg; use another "
                    "machine.",
                    fmt::join(processes_of(run_id), ", ")),
        ExitCode::kPeerLost);
  }
  return static_cast<int>(left.size());
}

namespace {

// Opens a directory of ours and locks it; -1 when it is not ours, not there, or held by another.
// Anybody may write to /dev/shm: what stands there must be a directory, no link, of this user.
int lock_directory(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return -1;
  struct stat opened {
  }, named{};
  const bool ours = ::fstat(file, &opened) == 0 && opened.st_uid == ::geteuid() &&
                    ::flock(file, LOCK_EX | LOCK_NB) == 0;
  // It may have been swept between our open and our lock.
  if (ours && ::lstat(path.c_str(), &named) == 0 && named.st_ino == opened.st_ino) return file;
  ::close(file);
  return -1;
}

}  // namespace

SharedScratch::SharedScratch(const std::string& run_id) {
  // The name is short: sockets lie deep below it, and their paths hold 107 characters.
  const std::string path = fmt::format("{}/{}{}", kMemory, scratch_prefix(), run_id);
  for (int tries = 0; tries < 20 && lock_ < 0; ++tries) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return;
    lock_ = lock_directory(path);
    struct stat info {};
    const bool ours =
        ::lstat(path.c_str(), &info) != 0 || (S_ISDIR(info.st_mode) && info.st_uid == ::geteuid());
    if (!ours) return;
    if (lock_ < 0) std::this_thread::sleep_for(kAsk);  // somebody sweeps it just now
  }
  // Held by another process of ours all the same: that the caller is the only supervisor of the run
  // it knows by other means.
  path_ = path;
  clear();
}

SharedScratch::~SharedScratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

int sweep_scratch() {
  const std::string prefix = scratch_prefix();
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(kMemory, ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  int swept = 0;
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", kMemory, name);
    const int lock = lock_directory(path);
    if (lock < 0) continue;
    // Ranks of a supervisor that was killed may still be about to end.
    if (processes_of(name.substr(prefix.size())).empty()) {
      fs::remove_all(path, ignored);
      ++swept;
    }
    ::close(lock);
  }
  if (swept > 0) log::info("{}: removed what {} killed starts had left there", kMemory, swept);
  return swept;
}

void SharedScratch::clear() {
  if (path_.empty()) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace lacuna::coordinator

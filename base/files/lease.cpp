#include "base/files/lease.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/held_error.h"
#include "base/process/host.h"
#include "base/process/thread_name.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"

namespace lacuna {
namespace {

constexpr double kLongestLimit = 600;  // seconds, whatever a file says

std::optional<LeaseOwner> parse_owner(const std::string& text) {
  const Json json = parse_json_line(text);
  if (!json.is_object()) return std::nullopt;
  try {
    return LeaseOwner{json.at("host"), json.at("pid"), json.at("start"), json.at("heartbeat"),
                      json.at("stale_seconds")};
  } catch (const Json::exception&) {
    return std::nullopt;  // torn by a crash: its writer is not there to object
  }
}

std::string read_whole(int descriptor) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  return std::string(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
}

// Opened anew each time: a network file system shows what another host wrote to those who open.
std::string read_whole(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  std::string text = read_whole(descriptor);
  ::close(descriptor);
  return text;
}

std::string describe(const LeaseOwner& owner, double now) {
  const auto start = static_cast<std::time_t>(owner.start);
  return fmt::format("process {} on {}, started {:%Y-%m-%d %H:%M:%S} UTC, last seen {:.0f} s ago",
                     owner.pid, owner.host, fmt::gmtime(start),
                     std::max(0.0, now - owner.heartbeat));
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// The opened file may have been removed by its owner between our open and our lock.
bool is_still_there(int descriptor, const Path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::string owner_text(const LeaseOwner& owner) {
  const Json json = {{"host", owner.host},
                     {"pid", owner.pid},
                     {"start", owner.start},
                     {"heartbeat", owner.heartbeat},
                     {"stale_seconds", owner.stale_seconds}};
  // Blanks keep the length constant, so a reader never sees the end of an older text.
  return fmt::format("{:<512}\n", json.dump());
}

// Takes the file at `path` for `self`, or throws DataError naming who has it.
class Acquisition {
 public:
  Acquisition(const Path& path, const LeaseOwner& self, const Clock& clock)
      : path_(path), self_(self), clock_(clock) {}

  // The locked file.
  int run() {
    for (;;) {
      const int descriptor = try_once();
      if (descriptor >= 0) return descriptor;
    }
  }

 private:
  int try_once() {
    const int descriptor = open_file(path_);
    const bool locked = lock(descriptor);
    if (locked && !is_still_there(descriptor, path_)) return give_up(descriptor);
    const std::string text = read_whole(descriptor);
    const auto owner = parse_owner(text);
    if (!owner || owner->host == self_.host) {
      if (!locked) refuse(descriptor, owner);
      // The lock of a process of this host goes with it, so that one has ended.
      if (owner) tell_former(*owner);
      return descriptor;
    }
    // Locks of other hosts may be invisible, or stay behind when a host dies: what counts is
    // whether the owner still writes, by this host's clock alone.
    if (!stays_silent(text, *owner)) {
      if (!read_whole(path_).empty()) refuse(descriptor, owner);
      return give_up(descriptor);  // released meanwhile
    }
    if (locked) {
      if (!is_still_there(descriptor, path_)) return give_up(descriptor);
      tell_former(*owner);
      return descriptor;
    }
    give_up(descriptor);
    return replace(text, *owner);
  }

  static int give_up(int descriptor) {
    ::close(descriptor);
    return -1;
  }

  static int open_file(const Path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      throw_error<DataError>("{}: cannot be opened: {}. Check the directory and its permissions.",
                             path.string(), std::strerror(errno));
    }
    return descriptor;
  }

  // False when another process holds it.
  bool lock(int descriptor) const {
    int result = 0;
    do {
      result = ::flock(descriptor, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return true;
    const int code = errno;
    if (code == EWOULDBLOCK) return false;
    ::close(descriptor);
    throw_error<DataError>(
        "{}: cannot be locked: {}. This file system has no locks, without which two processes "
        "could "
        "write to one directory. Choose a directory on another one, or have it mounted with locks "
        "(Lustre: -o flock; NFS: not with nolock, and rpc.statd running).",
        path_.string(), std::strerror(code));
  }

  [[noreturn]] void refuse(int descriptor, const std::optional<LeaseOwner>& owner) const {
    ::close(descriptor);
    throw_error<HeldError>(
        "{}: another process writes to this directory: {}. Wait for it, stop it, or choose "
        "another directory.",
        path_.parent_path().string(),
        owner ? describe(*owner, clock_.unix_seconds()) : "it has just started");
  }

  void tell_former(const LeaseOwner& owner) const {
    log::warn("{}: taken over from {}, which ended without releasing it",
              path_.parent_path().string(), describe(owner, clock_.unix_seconds()));
  }

  // Whether the file stays as it is for the owner's limit.
  bool stays_silent(const std::string& text, const LeaseOwner& owner) const {
    const double limit = std::clamp(owner.stale_seconds, 0.01, kLongestLimit);
    log::info("{}: held by {}. Watching for {:.0f} s whether it lives.",
              path_.parent_path().string(), describe(owner, clock_.unix_seconds()), limit);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit);
    while (std::chrono::steady_clock::now() < end) {
      sleep_for(std::min(1.0, limit / 20));
      if (read_whole(path_) != text) return false;
    }
    return true;
  }

  // The lock belongs to a host that is gone: a new file takes the name.
  int replace(const std::string& text, const LeaseOwner& owner) const {
    const Path fresh = fmt::format("{}.{}.{}", path_.string(), self_.host, self_.pid);
    const int descriptor = open_file(fresh);
    const std::string mine = owner_text(self_);
    const bool written = lock(descriptor) && ::pwrite(descriptor, mine.data(), mine.size(), 0) ==
                                                 static_cast<ssize_t>(mine.size());
    if (!written || read_whole(path_) != text || ::rename(fresh.c_str(), path_.c_str()) != 0) {
      const int code = errno;
      ::unlink(fresh.c_str());
      ::close(descriptor);
      if (!written) {
        throw_error<DataError>("{}: cannot be written: {}.", fresh.string(), std::strerror(code));
      }
      return -1;
    }
    // Whoever did the same at the same moment and came later has it.
    sleep_for(std::clamp(owner.stale_seconds / 20, 0.01, 2.0));
    if (!is_still_there(descriptor, path_)) return give_up(descriptor);
    tell_former(owner);
    return descriptor;
  }

  const Path& path_;
  const LeaseOwner& self_;
  const Clock& clock_;
};

}  // namespace

Lease::Lease(const Path& directory, double stale_seconds, const Clock& clock)
    : path_(directory / "lease"), clock_(clock) {
  const double now = clock.unix_seconds();
  self_ = {host_name(), ::getpid(), now, now, stale_seconds};
  descriptor_ = Acquisition(path_, self_, clock).run();
  self_.heartbeat = clock.unix_seconds();
  write_owner();
  thread_ = std::jthread([this](std::stop_token stop) {
    name_thread("lease");
    renew_until_stopped(stop);
  });
}

Lease::~Lease() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  // Removed before the lock goes, so that nobody ever reads a released owner.
  if (!lost_ && is_still_there(descriptor_, path_)) ::unlink(path_.c_str());
  ::close(descriptor_);
}

void Lease::renew() {
  const std::lock_guard lock(mutex_);
  const auto owner = read_lease(path_.parent_path());
  const bool ours = is_still_there(descriptor_, path_) && owner && owner->host == self_.host &&
                    owner->pid == self_.pid;
  if (!ours && !lost_.exchange(true)) {
    log::error("{}: lost to {}", path_.parent_path().string(),
               owner ? describe(*owner, clock_.unix_seconds()) : "whoever removed the lease file");
  }
  if (lost_) return;
  self_.heartbeat = clock_.unix_seconds();
  write_owner();
}

void Lease::renew_until_stopped(std::stop_token stop) {
  const std::chrono::duration<double> interval(self_.stale_seconds / 4);
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, interval, [] { return false; });
    }
    if (!stop.stop_requested()) renew();
  }
}

void Lease::write_owner() {
  // In place, because the lock belongs to this very file; to the disk, because a network file
  // system may keep it to itself for longer than others wait. A full disk only delays the
  // heartbeat.
  const std::string text = owner_text(self_);
  const bool written =
      ::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
      ::fdatasync(descriptor_) == 0;
  if (!written) {
    log::warn("{}: the heartbeat cannot be written: {}", path_.string(), std::strerror(errno));
  }
}

std::optional<LeaseOwner> read_lease(const Path& directory) {
  const std::string text = read_whole(directory / "lease");
  return text.empty() ? std::nullopt : parse_owner(text);
}

}  // namespace lacuna

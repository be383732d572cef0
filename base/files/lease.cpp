#include "base/files/lease.h"

#include <cerrno>
#include <cstring>
#include <ctime>
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
#include "base/text/json.h"
#include "base/text/log.h"

namespace lacuna {
namespace {

std::optional<LeaseOwner> parse_owner(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  try {
    return LeaseOwner{json.at("host"), json.at("pid"), json.at("start"), json.at("heartbeat"),
                      json.at("stale_seconds")};
  } catch (const Json::exception&) {
    return std::nullopt;  // torn by a crash: its writer is not there to object
  }
}

std::optional<LeaseOwner> read_owner(int descriptor) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  if (size <= 0) return std::nullopt;
  return parse_owner(std::string(text.data(), static_cast<std::size_t>(size)));
}

std::string describe(const LeaseOwner& owner, double now) {
  const auto start = static_cast<std::time_t>(owner.start);
  return fmt::format("process {} on {}, started {:%Y-%m-%d %H:%M:%S} UTC, last seen {:.0f} s ago",
                     owner.pid, owner.host, fmt::gmtime(start), now - owner.heartbeat);
}

// The opened file may have been removed by its owner between our open and our lock.
bool is_still_there(int descriptor, const Path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

// Returns the locked file, or throws DataError naming the holder.
int open_and_lock(const Path& path, const Clock& clock) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      throw_error<DataError>("{}: cannot be opened: {}. Check the directory and its permissions.",
                             path.string(), std::strerror(errno));
    }
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      const auto owner = read_owner(descriptor);
      ::close(descriptor);
      if (code != EWOULDBLOCK) {
        throw_error<DataError>("{}: cannot be locked: {}. Use a file system with locks (flock).",
                               path.string(), std::strerror(code));
      }
      throw_error<HeldError>(
          "{}: another process writes to this directory: {}. Wait for it, stop it, or choose "
          "another directory.",
          path.parent_path().string(),
          owner ? describe(*owner, clock.unix_seconds()) : "it has just started");
    }
    if (is_still_there(descriptor, path)) return descriptor;
    ::close(descriptor);
  }
}

}  // namespace

Lease::Lease(const Path& directory, double stale_seconds, const Clock& clock)
    : path_(directory / "lease"), clock_(clock) {
  const double now = clock.unix_seconds();
  self_ = {host_name(), ::getpid(), now, now, stale_seconds};
  descriptor_ = open_and_lock(path_, clock);
  const auto former = read_owner(descriptor_);
  if (former && former->host != self_.host && now - former->heartbeat < former->stale_seconds) {
    ::close(descriptor_);
    throw_error<HeldError>(
        "{}: held by {}. If that process is dead, the directory is free {:.0f} s after its last "
        "sign of life; or remove {}.",
        directory.string(), describe(*former, now), former->stale_seconds, path_.string());
  }
  if (former) {
    log::warn("{}: taken over from {}, which ended without releasing it", directory.string(),
              describe(*former, now));
  }
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
  const Json json = {{"host", self_.host},
                     {"pid", self_.pid},
                     {"start", self_.start},
                     {"heartbeat", self_.heartbeat},
                     {"stale_seconds", self_.stale_seconds}};
  // In place, because the lock belongs to this very file. Blanks keep the length constant, so a
  // reader never sees the end of an older text. A full disk only delays the heartbeat.
  const std::string text = fmt::format("{:<512}\n", json.dump());
  if (::pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    log::warn("{}: the heartbeat cannot be written: {}", path_.string(), std::strerror(errno));
  }
}

std::optional<LeaseOwner> read_lease(const Path& directory) {
  const int descriptor = ::open((directory / "lease").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  auto owner = read_owner(descriptor);
  ::close(descriptor);
  return owner;
}

}  // namespace lacuna

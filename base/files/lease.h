// One writer per directory: the file `lease` in it names the process that may write.
//
// The holder keeps the file locked (flock) and renews a heartbeat in it. A holder that was killed
// on this host is noticed at once, because its lock is gone; one on another host, where the lock
// may not be visible, when its heartbeat is older than the stale limit. The file is JSON: host,
// pid, start, heartbeat (seconds since 1970), stale_seconds. It is removed on release.
//
// Thread-safety: lost() may be asked from any thread. A background thread renews the heartbeat.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/files/file_system.h"
#include "base/process/clock.h"

namespace lacuna {

struct LeaseOwner {
  std::string host;
  long pid = 0;
  double start = 0, heartbeat = 0;  // seconds since 1970, UTC
  double stale_seconds = 60;        // silence after which the owner counts as dead
};

class Lease {
 public:
  // Throws DataError naming the owner when another process holds the directory, which must exist.
  explicit Lease(const Path& directory, double stale_seconds = 60,
                 const Clock& clock = steady_clock());
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // True when another process has taken the directory, which happens to a process that was stopped
  // for longer than the stale limit: it must not write any more.
  bool lost() const { return lost_; }
  // Writes the heartbeat now; the background thread does so four times per stale limit.
  void renew();

 private:
  void renew_until_stopped(std::stop_token stop);
  void write_owner();

  const Path path_;
  const Clock& clock_;
  LeaseOwner self_;
  int descriptor_ = -1;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// Who holds a directory by its lease file; nothing if there is none, or it is not readable. For
// `inspect` and messages: only acquiring tells whether the owner lives.
std::optional<LeaseOwner> read_lease(const Path& directory);

}  // namespace lacuna

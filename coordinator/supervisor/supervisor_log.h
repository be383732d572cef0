// RUNDIR/supervisor.jsonl: what the supervisor of a run did, a line per event; and the lock that
// makes it the only one. The kernel drops the lock when the supervisor ends, however it ends.
#pragma once

#include <string>

#include "base/files/file_system.h"
#include "base/files/json_lines.h"
#include "base/process/clock.h"

namespace lacuna::coordinator {

class SupervisorLog {
 public:
  // Makes the directory. Throws DataError when another supervisor works there.
  SupervisorLog(const Path& run_directory, const Clock& clock);
  ~SupervisorLog();
  SupervisorLog(const SupervisorLog&) = delete;
  SupervisorLog& operator=(const SupervisorLog&) = delete;

  // Adds `time` and `event` to `detail` and appends it.
  void event(const std::string& kind, Json detail);

 private:
  const Clock& clock_;
  int lock_;
  JsonLines lines_;
};

}  // namespace lacuna::coordinator

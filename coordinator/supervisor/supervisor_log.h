// RUNDIR/supervisor.jsonl: what the supervisor of a run did, a line per event; and the lock that
// makes it the only one. The kernel drops the lock when the supervisor ends, however it ends.
#pragma once

#include <string>

#include "base/files/file_system.h"
#include "base/process/clock.h"
#include "base/text/json.h"

namespace lacuna::coordinator {

class SupervisorLog {
 public:
  // Makes the directory. Throws HeldError when another supervisor works there.
  SupervisorLog(const Path& run_directory, const Clock& clock);
  ~SupervisorLog();
  SupervisorLog(const SupervisorLog&) = delete;
  SupervisorLog& operator=(const SupervisorLog&) = delete;

  // Adds `time` and `event` to `detail` and appends it. Storage that hangs holds up neither this
  // process nor its end: after some seconds the line is given up, and told on standard error.
  void event(const std::string& kind, Json detail);
  // Whether the run directory takes writes at all; asked within the same time.
  bool answers();

 private:
  const Path path_;
  const Clock& clock_;
  int lock_;
};

}  // namespace lacuna::coordinator

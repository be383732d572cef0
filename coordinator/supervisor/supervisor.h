// Runs a training on several ranks to its end: starts the launcher, hands on requests to stop,
// and starts again from the newest checkpoint when a rank is lost.
//
// What counts as a loss: exit code 76, a signal, or any code that is not part of the contract
// (docs/exit-codes.md). 0, 1, 2, 75, 77 and 79 end the supervisor with that code. It gives up, with
// 76, after `max_restarts` restarts, after two losses without a new checkpoint in between, or when
// the run directory does not answer. How ranks ended it reads from their notes (end_note.h).
//
// It waits for nobody for ever: a launcher that outlives its ranks, and ranks of this host that are
// all stopped, are killed.
//
// One supervisor per run directory (SupervisorLog). Before each start no process and no shared
// memory of an attempt before is left on this host, even when that attempt's supervisor was killed.
// If this process is killed, its ranks end (ChildProcess). Not thread-safe; run() must be called by
// a thread that lives as long as the process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/process/child_process.h"
#include "base/process/clock.h"
#include "base/process/signals.h"
#include "coordinator/supervisor/leftovers.h"
#include "coordinator/supervisor/supervisor_log.h"

namespace lacuna::coordinator {

struct SupervisorOptions {
  int ranks = 2;
  int max_restarts = 3;
  // From the request to stop until ranks that have not saved and left are killed. Batch systems
  // kill earlier by themselves; this bounds an interactive wait.
  double stop_seconds = 600;
  double leave_seconds = 5;  // processes may outlive the launcher so long before they are killed,
                             // and the launcher its ranks
  double stopped_seconds = 60;  // all ranks of this host may be stopped (SIGSTOP) for so long
};

struct Attempt {
  int ranks = 2;
  std::map<std::string, std::string> environment;  // the ranks need it
  std::string scratch;                             // as LaunchRequest::scratch
};

// What the supervisor uses; all must outlive it.
struct SupervisorParts {
  // What to start. `command` and `environment` matter.
  std::function<ChildOptions(const Attempt&)> launch;
  // Step of the newest valid checkpoint, -1 without one: whether a failed attempt got anywhere.
  std::function<std::int64_t()> newest_step;
  std::function<int(int ranks)> ranks_after_loss;
  std::function<void(double seconds)> sleep;  // may return early when a signal arrives
  const SignalSource* signals;
  const Clock* clock;
};

class Supervisor {
 public:
  // Takes the run directory, which is made if need be. Throws DataError when another supervisor has
  // it.
  Supervisor(const Path& run_directory, const SupervisorOptions& options, SupervisorParts parts);
  // Throws Error when the launcher cannot be started, or something of an attempt cannot be killed.
  ExitCode run();

 private:
  struct Ending {
    int code = 0;
    std::string reason;         // for a loss: who ended and how
    bool told_by_rank = false;  // the launcher reported a rank's own end
  };
  Ending attempt();
  // What is wrong with an attempt whose launcher still runs; empty: nothing. Asked once a second.
  std::string find_overdue();
  void hand_on_stop(ChildProcess& ranks);
  bool stop_requested() const { return parts_.signals->pending() != 0; }
  // The code to end with, or nothing when it was a loss.
  std::optional<ExitCode> final_code(const Ending& ending) const;
  bool back_off();  // false when a stop was requested meanwhile
  ExitCode give_up(const std::string& why);

  const Path run_directory_;
  const SupervisorOptions options_;
  const SupervisorParts parts_;
  SupervisorLog log_;
  const std::string run_id_;
  SharedScratch scratch_;
  int ranks_, restarts_ = 0;
  // Of this attempt: all ranks were seen on this host; looks in a row that found none, the notes of
  // all, all stopped.
  struct {
    bool all = false;
    int none = 0, noted = 0, stopped = 0;
  } seen_;
  double stop_at_ = 0, resend_after_ = 0, resend_at_ = 0;  // of the clock; 0 = no stop yet
};

// 16 hex digits: marks the processes of a run directory.
std::string run_id(const Path& run_directory);

}  // namespace lacuna::coordinator

// runs/<id>/sweep.jsonl: what a sweep did with a run, a line per event, appended by whoever works
// on the run. It lies in the run directory, so that deleting that makes the run new again.
//
// Events, each with `time` (UTC): start (host, job), trained (step, seconds, seconds_per_step),
// held (reason: another process has the run; whatever it is doing, it goes on), done (dice,
// seconds), end (code, reason), retry. A torn line is left out.
#pragma once

#include <optional>
#include <string>

#include "base/files/file_system.h"
#include "base/process/clock.h"
#include "base/text/json.h"

namespace lacuna::experiments {

// What the lines since the last retry add up to.
struct JournalSummary {
  bool exists = false;
  int starts = 0;
  bool open = false;        // the last start has no end: it works, or was killed
  bool done = false;        // trained and evaluated
  std::optional<int> code;  // of the last end
  std::string reason, host, job;
  std::string time;                    // of the last event
  std::optional<double> dice;          // mean over subsets and regions
  std::optional<double> step_seconds;  // per update
  std::optional<double> eval_seconds;

  // Ended in a way that repeating alone does not mend.
  bool failed() const;
};

JournalSummary read_journal(const Path& path);

// Adds `time` and `event`; synced, so that it is there before what relies on it. Makes the
// directory. Throws DataError.
void write_journal(const Path& path, const std::string& event, Json detail,
                   const Clock& clock = steady_clock());

}  // namespace lacuna::experiments

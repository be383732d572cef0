// One run of a sweep from wherever it stands to its evaluation: what an array task of SLURM and a
// slot of the local executor do.
//
// Trains by `lacuna train` (which resumes), evaluates by `lacuna eval`, both as child processes
// whose output is appended to logs/<id>.log, and writes down in the run's journal what came of it.
// Any number of starts, kills and repetitions lead to the same result; a run that is done is left
// alone. A start waits while another process, perhaps one that a lost node still runs, has the run.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/process/clock.h"
#include "experiments/sweep_directory.h"
#include "experiments/sweep_plan.h"

namespace lacuna::experiments {

struct TaskSettings {
  std::vector<std::string> program;                // how `lacuna` is called
  std::map<std::string, std::string> environment;  // added for it
  std::string job;                                 // of the batch system; empty: none
  std::string staging;                             // node-local directory of this job, or empty
  int threads = 0;                                 // of tensor operations; 0: as the run says
  double busy_seconds = 300;  // for another process to leave the run, before this start ends
  double held_seconds = 5;    // between two attempts to take it
  double poll_seconds = 0.2;
  const Clock* clock = &steady_clock();
};

// 0 done; 75 stopped on request, held by another process, or not startable yet: again later; 76
// ranks were lost; 1, 2, 77: failed, and the journal says why. Throws DataError when the journal
// cannot be written.
ExitCode run_task(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run,
                  const ResolveRun& resolve, const TaskSettings& settings,
                  const std::function<bool()>& stop);

// Whether groups that must be done before the run's allow it to start.
struct Readiness {
  bool ready = true;
  bool never = false;  // a run that it waits for has failed
  std::string reason;
};
Readiness readiness(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run);

// Evaluation of a run that is done: summary.json.
Path summary_file(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run,
                  const Json& resolved);

}  // namespace lacuna::experiments

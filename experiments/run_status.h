// The state of one run, put together from its journal, its trainer's files and the batch system.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "experiments/run_course.h"
#include "experiments/run_journal.h"
#include "experiments/sweep_plan.h"
#include "slurm/scheduler.h"

namespace lacuna::experiments {

enum class RunState { kPending, kRunning, kRequeued, kDone, kFailed };
const char* state_name(RunState state);

// What is known about a run.
struct RunEvidence {
  JournalSummary journal;
  RunCourse course;                      // where the journal says that it has begun
  std::string job;                       // of the batch system that it was given to; empty: none
  std::optional<slurm::TaskState> task;  // absent: unknown there, or nobody answered
  bool asked = false;                    // the batch system has answered
  bool executor_lives = false;           // a local executor works on the sweep
};

struct RunStatus {
  RunState state = RunState::kPending;
  std::string reason;  // why it waits or failed
  std::int64_t step = 0;
  std::optional<double> eta_seconds;  // of its training, while it runs
  std::optional<double> dice;         // of its evaluation, or its best validation so far
  bool evaluated = false;             // which of the two
  std::string node;
  int starts = 0;
  bool active = false;  // somebody has it: submitting it again would do the work twice
  std::optional<double> step_seconds, eval_seconds;
};

RunStatus judge(const PlannedRun& run, const RunEvidence& evidence);

}  // namespace lacuna::experiments

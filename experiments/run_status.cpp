#include "experiments/run_status.h"

#include <algorithm>

#include "base/error.h"

namespace lacuna::experiments {
namespace {

using slurm::TaskStatus;

struct Verdict {
  RunState state;
  std::string reason;
};

std::string job_name(const RunEvidence& known) {
  return known.task ? fmt::format("{}_{}", known.job, known.task->index) : known.job;
}

// A job that ended although its run is not done.
Verdict after_job(const RunEvidence& known) {
  const JournalSummary& journal = known.journal;
  const std::string job = job_name(known);
  switch (known.task->status) {
    case TaskStatus::kDone:
      return {RunState::kPending, "its directory was deleted or changed: submit does it again"};
    case TaskStatus::kCancelled:
      return {RunState::kPending, fmt::format("job {} was cancelled: submit goes on", job)};
    case TaskStatus::kTimeout:
      return {RunState::kFailed,
              fmt::format("job {} met its time limit before it could save: raise resources.time or "
                          "resources.signal_seconds",
                          job)};
    case TaskStatus::kNodeFail:
      return {RunState::kFailed, fmt::format("job {}: its node died", job)};
    default:
      break;
  }
  // Saved, and nobody put the job back into the queue: nothing is wrong with the run.
  if (!journal.open && journal.code == static_cast<int>(ExitCode::kSavedOnRequest)) {
    return {RunState::kPending,
            fmt::format("job {} was not started again ({}): submit goes on", job, journal.reason)};
  }
  if (journal.code && !journal.open) {
    return {RunState::kFailed,
            fmt::format("job {} was not started again after: {}", job, journal.reason)};
  }
  std::string how = known.task->reason;
  if (known.task->signal > 0) how = fmt::format("killed by signal {}", known.task->signal);
  if (how.empty() && known.task->exit_code) how = fmt::format("code {}", *known.task->exit_code);
  return {RunState::kFailed, fmt::format("job {} ended without a word: {}", job, how)};
}

Verdict in_batch_system(const RunEvidence& known) {
  const JournalSummary& journal = known.journal;
  if (!known.task) {
    if (!known.asked) {
      return {journal.open ? RunState::kRunning : RunState::kPending,
              fmt::format("job {}; the batch system was not asked", known.job)};
    }
    if (journal.open) {
      return {RunState::kFailed,
              fmt::format("job {} is gone and left no word: out of memory, or killed", known.job)};
    }
    return {RunState::kPending,
            fmt::format("job {} is gone{}: submit goes on", known.job,
                        journal.reason.empty() ? "" : " (" + journal.reason + ")")};
  }
  const slurm::TaskState& task = *known.task;
  if (slurm::has_ended(task.status)) return after_job(known);
  if (task.status == TaskStatus::kRunning) return {RunState::kRunning, ""};
  std::string reason = task.reason;
  if (const std::string advice = slurm::advice(task); !advice.empty()) reason += ": " + advice;
  const bool began = task.status == TaskStatus::kRequeued || journal.starts > 0;
  return {began ? RunState::kRequeued : RunState::kPending, reason};
}

Verdict decide(const RunEvidence& known) {
  const JournalSummary& journal = known.journal;
  if (journal.done) return {RunState::kDone, ""};
  if (journal.failed()) return {RunState::kFailed, journal.reason};
  if (!known.job.empty()) return in_batch_system(known);
  if (journal.open && known.executor_lives) return {RunState::kRunning, ""};
  if (journal.open) return {RunState::kPending, "interrupted: submit goes on"};
  return {RunState::kPending, journal.reason};
}

}  // namespace

const char* state_name(RunState state) {
  switch (state) {
    case RunState::kPending:
      return "pending";
    case RunState::kRunning:
      return "running";
    case RunState::kRequeued:
      return "requeued";
    case RunState::kDone:
      return "done";
    case RunState::kFailed:
      return "failed";
  }
  return "";
}

RunStatus judge(const PlannedRun& run, const RunEvidence& known) {
  const Verdict verdict = decide(known);
  RunStatus status;
  status.state = verdict.state;
  status.reason = verdict.reason;
  status.starts = known.journal.starts;
  status.step_seconds = known.journal.step_seconds;
  if (known.course.step_seconds) status.step_seconds = known.course.step_seconds;
  status.eval_seconds = known.journal.eval_seconds;
  status.step = status.state == RunState::kDone ? run.steps : known.course.step;
  status.evaluated = known.journal.done && known.journal.dice.has_value();
  status.dice = status.evaluated ? known.journal.dice : known.course.best_score;
  status.node = known.task && !known.task->nodes.empty() ? known.task->nodes : known.journal.host;
  const bool in_queue =
      known.task ? !slurm::has_ended(known.task->status) : !known.job.empty() && !known.asked;
  status.active = !known.journal.done && !known.journal.failed() &&
                  (in_queue || status.state == RunState::kRunning);
  const bool trained = run.steps > 0 && status.step >= run.steps;
  if (status.state == RunState::kRunning && trained) {
    if (status.reason.empty()) status.reason = "evaluates";
  } else if (status.state == RunState::kRunning && status.step_seconds) {
    status.eta_seconds = static_cast<double>(std::max<std::int64_t>(0, run.steps - status.step)) *
                         *status.step_seconds;
  }
  return status;
}

}  // namespace lacuna::experiments

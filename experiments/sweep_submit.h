// Gives runs of a sweep to the batch system, and takes them back.
#pragma once

#include <string>
#include <vector>

#include "experiments/submissions.h"
#include "experiments/sweep_directory.h"
#include "slurm/chunks.h"
#include "slurm/scheduler.h"

namespace lacuna::experiments {

struct SubmitReport {
  std::vector<slurm::SubmittedArray> arrays;
  std::string report_job;  // writes the report when all have ended; empty: not submitted now
  std::vector<std::string> notes;  // which launcher, and why; why there is no job for the report
};

// Submits `runs` (of the plan): an array for each group and kind of resources, in pieces that the
// cluster takes, each group after those that it waits for; then one small job that waits for all
// arrays of the sweep that are under way and writes the report, in the place of an earlier one.
// `program`: how a node calls lacuna. The caller holds the lock of the directory. Throws
// SchedulerError and ConfigError; what was submitted before it stays, and is found again by the
// next call of read_status() and of this. A job for the report that is refused is only noted.
SubmitReport submit_runs(const SweepDirectory& directory, const SweepPlan& plan,
                         const std::vector<const PlannedRun*>& runs,
                         const std::vector<std::string>& program, slurm::Scheduler& scheduler);

// Cancels what of the sweep waits or runs in the batch system. Returns the ids of the arrays.
std::vector<std::string> cancel_runs(const SweepDirectory& directory, slurm::Scheduler& scheduler);

}  // namespace lacuna::experiments

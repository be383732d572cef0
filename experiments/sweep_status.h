// All runs of a sweep with their states, and what is still to be computed.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "experiments/report_status.h"
#include "experiments/run_status.h"
#include "experiments/submissions.h"
#include "experiments/sweep_directory.h"

namespace lacuna::experiments {

struct SweepStatus {
  std::vector<RunStatus> runs;  // as the plan's
  ReportStatus report;
  std::vector<std::string> notes;      // for people: the batch system did not answer, ...
  std::array<std::size_t, 5> count{};  // by RunState
};

// Reads the journal of each run, more only of those that have begun and not ended. `scheduler`:
// asked once for all runs that were submitted; nullptr, or one that fails: the files alone, and a
// note. Changes nothing.
SweepStatus read_status(const SweepDirectory& directory, const SweepPlan& plan,
                        slurm::Scheduler* scheduler);

// Hours that the rest takes, from the times of runs of the same kind.
struct Estimate {
  double hours = 0;          // of all runs that can be timed, one after the other
  double longest_hours = 0;  // of the longest of them
  std::size_t timed = 0, untimed = 0;
  std::map<std::string, double> step_seconds;  // median, by kind
};
Estimate estimate(const SweepPlan& plan, const SweepStatus& status);

// As `lacuna sweep status --json` prints it.
Json status_json(const SweepDirectory& directory, const SweepPlan& plan, const SweepStatus& status);

// One row per run; with more than a screen of them those that wait and are done are only counted,
// unless `all`.
std::string status_table(const SweepPlan& plan, const SweepStatus& status, bool all);

// "2 running, 10 done"; hours that are left; a second line about the report, if there is one.
std::string status_summary(const SweepPlan& plan, const SweepStatus& status);

}  // namespace lacuna::experiments

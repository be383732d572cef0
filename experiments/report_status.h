// Where the report of a sweep stands: the job that writes it when all runs have ended, and the
// page. Pure functions but for the question whether the page is there.
#pragma once

#include <optional>
#include <string>

#include "base/text/json.h"
#include "experiments/submissions.h"
#include "experiments/sweep_directory.h"
#include "slurm/scheduler.h"

namespace lacuna::experiments {

struct ReportStatus {
  std::string job;     // of the batch system; empty: none
  std::string state;   // "pending", "running", "done", "failed", "unknown"; empty: there is none
  std::string reason;  // why it waits or failed
  std::string page;    // report.html; empty: not written yet
};

// `job`: nullptr where none was submitted. `task`: what the batch system says about it; `asked`:
// it has answered.
ReportStatus report_status(const SweepDirectory& directory, const Submission* job,
                           const std::optional<slurm::TaskState>& task, bool asked);

// "report: pending, job 12 (waits for the runs that it needs)"; "" where there is none.
std::string report_line(const ReportStatus& report);
Json report_json(const ReportStatus& report);  // null where there is none

}  // namespace lacuna::experiments

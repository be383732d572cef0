#include "experiments/report_status.h"

#include <filesystem>

#include <fmt/format.h>

namespace lacuna::experiments {
namespace {

using slurm::TaskStatus;

void judge(ReportStatus& report, const SweepDirectory& directory, const slurm::TaskState& task) {
  switch (task.status) {
    case TaskStatus::kPending:
    case TaskStatus::kRequeued: {
      report.state = "pending";
      const std::string advice = slurm::advice(task);
      report.reason = advice.empty() ? task.reason : advice;
      return;
    }
    case TaskStatus::kRunning:
      report.state = "running";
      return;
    case TaskStatus::kDone:
      report.state = report.page.empty() ? "failed" : "done";
      if (report.page.empty()) report.reason = "the page was deleted";
      return;
    case TaskStatus::kCancelled:
      report.state = "failed";
      report.reason = "cancelled";
      return;
    default:
      report.state = "failed";
      report.reason =
          fmt::format("{} says why", (directory.logs() / (task.job + "_0.log")).string());
  }
}

}  // namespace

ReportStatus report_status(const SweepDirectory& directory, const Submission* job,
                           const std::optional<slurm::TaskState>& task, bool asked) {
  ReportStatus report;
  if (std::filesystem::is_regular_file(directory.report_file())) {
    report.page = directory.report_file().string();
    report.state = "done";
  }
  if (job == nullptr) return report;
  report.job = job->job;
  if (task) {
    judge(report, directory, *task);
  } else if (!asked) {
    report.state = "unknown";
    report.reason = "the batch system was not asked";
  } else if (report.page.empty()) {
    report.state = "failed";
    report.reason = "its job is gone";
  }
  if (report.state == "failed") {
    report.reason += ". By hand: lacuna sweep report " + directory.root().string();
  }
  return report;
}

std::string report_line(const ReportStatus& report) {
  if (report.state.empty()) return "";
  std::string text = "report: " + report.state;
  if (report.state == "done") return text + ", " + report.page;
  if (!report.job.empty()) text += ", job " + report.job;
  return text + (report.reason.empty() ? "" : " (" + report.reason + ")");
}

Json report_json(const ReportStatus& report) {
  if (report.state.empty()) return nullptr;
  return {{"job", report.job},
          {"state", report.state},
          {"reason", report.reason},
          {"page", report.page}};
}

}  // namespace lacuna::experiments

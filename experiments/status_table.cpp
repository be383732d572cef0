// The states of a sweep as text and JSON.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text/progress.h"
#include "base/text/text_table.h"
#include "experiments/sweep_status.h"

namespace lacuna::experiments {
namespace {

constexpr std::size_t kScreen = 60;  // rows that people read

bool is_notable(const RunStatus& run) {
  return run.state == RunState::kRunning || run.state == RunState::kRequeued ||
         run.state == RunState::kFailed;
}

std::string step_text(const PlannedRun& run, const RunStatus& status) {
  return status.step > 0 ? fmt::format("{}/{}", status.step, run.steps) : "-";
}

std::string runs_summary(const SweepPlan& plan, const SweepStatus& status) {
  std::string text = fmt::format("{}: {} runs", plan.name, plan.runs.size());
  for (std::size_t state = 0; state < status.count.size(); ++state) {
    if (status.count[state] == 0) continue;
    text += fmt::format(", {} {}", status.count[state], state_name(static_cast<RunState>(state)));
  }
  const Estimate left = estimate(plan, status);
  if (left.timed + left.untimed == 0) return text + ".";
  if (left.timed == 0) return text + "; no run of their kind has been timed yet.";
  text +=
      fmt::format("; left: {} of computing, the longest run {}", format_duration(3600 * left.hours),
                  format_duration(3600 * left.longest_hours));
  if (left.untimed > 0) text += fmt::format(", and {} runs of kinds not timed yet", left.untimed);
  return text + ".";
}

Json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json();
}

}  // namespace

std::string status_table(const SweepPlan& plan, const SweepStatus& status, bool all) {
  all |= plan.runs.size() <= kScreen;
  TextTable rows({{"run"}, {""}, {"state"}, {"step"}, {"left"}, {"Dice %"}, {"node"}, {"reason"}});
  bool empty = true;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const RunStatus& run = status.runs[i];
    if (!all && !is_notable(run)) continue;
    empty = false;
    rows.add({plan.runs[i].id.substr(0, 8), plan.runs[i].label, state_name(run.state),
              step_text(plan.runs[i], run),
              run.eta_seconds ? format_duration(*run.eta_seconds) : "-",
              run.dice ? fmt::format("{:.1f}{}", 100 * *run.dice, run.evaluated ? "" : "*") : "-",
              run.node.empty() ? "-" : run.node, run.reason});
  }
  std::string text = empty ? "" : rows.text();
  const bool validated = std::any_of(status.runs.begin(), status.runs.end(),
                                     [](const auto& run) { return run.dice && !run.evaluated; });
  if (validated) text += "* best validation so far; the others: evaluation over all subsets\n";
  if (!all) text += "Runs that wait or are done are left out; --all shows them.\n";
  return text;
}

std::string status_summary(const SweepPlan& plan, const SweepStatus& status) {
  const std::string report = report_line(status.report);
  return runs_summary(plan, status) + (report.empty() ? "" : "\n" + printable(report));
}

Json status_json(const SweepDirectory& directory, const SweepPlan& plan,
                 const SweepStatus& status) {
  Json counts = Json::object(), runs = Json::array();
  for (std::size_t state = 0; state < status.count.size(); ++state) {
    counts[state_name(static_cast<RunState>(state))] = status.count[state];
  }
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const RunStatus& run = status.runs[i];
    runs.push_back({{"id", plan.runs[i].id},
                    {"label", plan.runs[i].label},
                    {"group", plan.groups[plan.runs[i].group].name},
                    {"state", state_name(run.state)},
                    {"reason", run.reason},
                    {"step", run.step},
                    {"steps", plan.runs[i].steps},
                    {"eta_seconds", or_null(run.eta_seconds)},
                    {"dice", or_null(run.dice)},
                    {"evaluated", run.evaluated},
                    {"node", run.node},
                    {"starts", run.starts},
                    {"directory", directory.run(plan.runs[i].id).string()}});
  }
  const Estimate left = estimate(plan, status);
  return {{"name", plan.name},
          {"directory", directory.root().string()},
          {"counts", counts},
          {"hours_left", left.hours},
          {"longest_hours", left.longest_hours},
          {"untimed_runs", left.untimed},
          {"report", report_json(status.report)},
          {"notes", status.notes},
          {"runs", runs}};
}

}  // namespace lacuna::experiments

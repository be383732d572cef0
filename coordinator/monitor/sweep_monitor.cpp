#include "coordinator/monitor/sweep_monitor.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/process/parallel.h"

namespace lacuna::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr int kAtOnce = 8;
// A silent server holds up one of the threads above for that long.
constexpr double kPatienceSeconds = 1;

bool holds_runs(const fs::path& directory) {
  std::error_code unreadable;
  const fs::directory_iterator all(directory, unreadable);
  return std::any_of(begin(all), end(all),
                     [](const auto& entry) { return is_run_directory(entry.path()); });
}

}  // namespace

bool is_run_directory(const fs::path& directory) {
  std::error_code unreadable;
  for (const char* name : {"run.json", "coordinator.json", "events.jsonl"}) {
    if (fs::exists(directory / name, unreadable)) return true;
  }
  return false;
}

SweepMonitor::SweepMonitor(fs::path directory) : directory_(std::move(directory)) {
  const bool sweep = fs::exists(directory_ / "plan.json") || holds_runs(directory_ / "runs");
  runs_ = sweep ? directory_ / "runs" : directory_;
  if (!sweep && !holds_runs(runs_)) {
    throw_error<DataError>(
        "{}: neither a run nor a directory of runs (no run.json, coordinator.json or plan.json). "
        "Start a run: lacuna train RUN.json --out {}",
        directory_.string(), directory_.string());
  }
}

void SweepMonitor::find_runs() {
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(runs_, unreadable)) {
    const std::string name = entry.path().filename();
    if (monitors_.count(name) > 0 || !is_run_directory(entry.path())) continue;
    monitors_[name] = std::make_unique<RunMonitor>(entry.path());
  }
}

void SweepMonitor::read_plan() {
  std::error_code missing;
  const auto time = fs::last_write_time(directory_ / "plan.json", missing);
  if (missing || time == plan_time_) return;
  plan_time_ = time;
  try {
    const Json plan = read_json(directory_ / "plan.json");
    for (const Json& run : plan.value("runs", Json::array())) {
      planned_[run.at("id").get<std::string>()] = run;
    }
  } catch (const std::exception&) {
    // A plan of another version takes nothing from the runs that are there.
  }
}

Json SweepMonitor::look() {
  read_plan();
  find_runs();
  std::vector<std::pair<std::string, RunMonitor*>> all;
  for (const auto& [name, monitor] : monitors_) all.emplace_back(name, monitor.get());
  std::vector<Json> seen(all.size());
  parallel_for(kAtOnce, static_cast<std::int64_t>(all.size()), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    Sight sight = all[at].second->look(kPatienceSeconds);
    seen[at] = std::move(sight.status);
    seen[at]["run"] = all[at].first;
    seen[at]["note"] = sight.note;
  });
  for (const auto& [id, run] : planned_) {
    if (monitors_.count(id) == 0) {
      seen.push_back(
          {{"run", id}, {"state", "not started"}, {"steps", run.value("steps", Json())}});
    }
  }
  Json counts = Json::object();
  for (Json& run : seen) {
    const auto planned = planned_.find(run.at("run").get<std::string>());
    if (planned != planned_.end()) run["label"] = planned->second.value("label", Json());
    Json& count = counts[run.at("state").get<std::string>()];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  return {{"directory", directory_.string()}, {"counts", counts}, {"runs", seen}};
}

}  // namespace lacuna::coordinator

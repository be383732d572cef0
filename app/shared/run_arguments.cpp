#include "app/shared/run_arguments.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace lacuna::app {

namespace fs = std::filesystem;

std::vector<NamedRun> begun_runs(const experiments::SweepDirectory& directory,
                                 const experiments::SweepPlan& plan) {
  std::vector<NamedRun> runs;
  for (const experiments::PlannedRun& run : plan.runs) {
    if (!fs::exists(directory.run(run.id) / "run.json")) continue;
    runs.push_back({directory.run(run.id), run.label});
  }
  if (runs.empty()) {
    throw_error<DataError>("{}: no run has begun yet. Start them: lacuna sweep submit {}",
                           directory.root().string(), directory.root().string());
  }
  return runs;
}

std::vector<NamedRun> named_runs(const std::vector<std::string>& arguments) {
  std::vector<NamedRun> runs;
  for (const fs::path path : arguments) {
    const experiments::SweepDirectory sweep(path);
    if (!fs::exists(path / "run.json") && sweep.has_plan()) {
      for (NamedRun& run : begun_runs(sweep, sweep.read_plan())) runs.push_back(std::move(run));
    } else if (fs::is_directory(path)) {
      const fs::path normal = fs::absolute(path).lexically_normal();
      runs.push_back({path, (normal.has_filename() ? normal : normal.parent_path()).filename()});
    } else {
      throw_error<DataError>(
          "{}: neither a run directory (it has run.json) nor that of a sweep (plan.json).",
          path.string());
    }
  }
  std::set<std::string> taken;
  for (NamedRun& run : runs) {
    const std::string base = run.label;
    for (int i = 2; !taken.insert(run.label).second; ++i) {
      run.label = fmt::format("{} ({})", base, i);
    }
  }
  return runs;
}

}  // namespace lacuna::app

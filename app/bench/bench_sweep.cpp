// lacuna bench sweep: planning a sweep of 10 000 runs, reading its plan back, and the status of one
// that is half done, without a batch system.
#include "app/bench/bench_sweep.h"

#include <filesystem>

#include "app/sweep/sweep.h"
#include "base/files/json_lines.h"
#include "base/files/temporary_directory.h"
#include "experiments/run_journal.h"
#include "experiments/sweep_status.h"

namespace lacuna::app {
namespace {

constexpr int kSeeds = 2500;

Json definition(const std::filesystem::path& cache) {
  Json seeds = Json::array();
  for (int seed = 1; seed <= kSeeds; ++seed) seeds.push_back(seed);
  return {
      {"base",
       {{"data", {{"cache", cache.string()}, {"patch", {64, 64, 64}}}},
        {"model", {{"width", 0.25}}},
        {"train", {{"steps", 1000}}}}},
      {"grid",
       {{"method", {"mckd", "unet"}}, {"data.split", {"fold0", "fold1"}}, {"train.seed", seeds}}}};
}

// Every second run is done, and one in a hundred has failed.
void leave_traces(const experiments::SweepDirectory& directory,
                  const experiments::SweepPlan& plan) {
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    if (i % 2 == 1 && i % 100 != 1) continue;
    const auto journal = directory.journal(plan.runs[i].id);
    std::filesystem::create_directories(journal.parent_path());
    JsonLines lines(journal);
    lines.append({{"event", "start"}, {"host", "node1"}, {"time", "2026-11-21T00:00:00Z"}});
    lines.append({{"event", "trained"}, {"step", 1000}, {"seconds_per_step", 0.5}});
    if (i % 2 == 0) {
      lines.append({{"event", "done"}, {"dice", 0.5}, {"seconds", 60}});
    } else {
      lines.append({{"event", "end"}, {"code", 77}, {"reason", "diverged"}});
    }
  }
}

}  // namespace

Json run_sweep(const BenchOptions& options) {
  const TemporaryDirectory folder;
  const experiments::SweepDirectory directory(folder.path() / "sweep");
  const auto definition = experiments::parse_definition(app::definition(folder.path() / "cache"),
                                                        folder.path() / "sweep.json");
  experiments::SweepPlan plan;
  Json planned = entry("plan", measure(options, [&] {
                         SweepResolver resolver;
                         plan = experiments::make_plan(definition, resolver.function());
                       }));
  directory.store(definition, plan);
  leave_traces(directory, plan);
  Json read = entry("read plan.json", measure(options, [&] { directory.read_plan(); }));
  std::string table;
  Json status = entry("status", measure(options, [&] {
                        const auto again = directory.read_plan();
                        const auto found = experiments::read_status(directory, again, nullptr);
                        table = experiments::status_table(again, found, /*all=*/true) +
                                experiments::status_summary(again, found);
                      }));
  Json entries = Json::array({planned, read, status});
  for (Json& each : entries) each["runs"] = plan.runs.size();
  return entries;
}

}  // namespace lacuna::app

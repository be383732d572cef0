#include "app/sweep/sweep_local.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "app/sweep/sweep.h"
#include "base/process/signals.h"
#include "base/text/log.h"
#include "base/text/progress.h"
#include "experiments/local_executor.h"
#include "experiments/run_journal.h"

namespace lacuna::app {
namespace {

constexpr const char* kVisibleGpus = "CUDA_VISIBLE_DEVICES";

// GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.
std::vector<std::string> visible_gpus() {
  std::vector<std::string> gpus;
  if (const char* set = std::getenv(kVisibleGpus)) {
    std::istringstream list(set);
    for (std::string gpu; std::getline(list, gpu, ',');) gpus.push_back(gpu);
    return gpus;
  }
  while (std::filesystem::exists("/dev/nvidia" + std::to_string(gpus.size()))) {
    gpus.push_back(std::to_string(gpus.size()));
  }
  return gpus;
}

// With several GPUs each slot has its own, in turn.
std::vector<std::map<std::string, std::string>> slots() {
  const std::vector<std::string> gpus = visible_gpus();
  if (gpus.size() < 2) return {};
  std::vector<std::map<std::string, std::string>> slots;
  for (const std::string& gpu : gpus) slots.push_back({{kVisibleGpus, gpu}});
  return slots;
}

void print_end(const experiments::SweepDirectory& directory, const experiments::PlannedRun& run,
               const std::string& what) {
  const auto journal = experiments::read_journal(directory.journal(run.id));
  std::string more = journal.reason;
  if (what == "done" && journal.dice) more = fmt::format("mean Dice {:.1f} %", 100 * *journal.dice);
  fmt::print("{:<8} {}  {}{}\n", what, run.id.substr(0, 8), run.label,
             more.empty() ? "" : ": " + more);
  std::fflush(stdout);
}

// The runs count, not the page: what goes wrong with it is told and changes nothing.
bool write_report(const experiments::SweepDirectory& directory,
                  const experiments::SweepPlan& plan) {
  try {
    write_sweep_report(directory, plan, directory.report_file());
    return true;
  } catch (const std::exception& error) {
    log::warn("the report was not written: {} By hand: lacuna sweep report {}", error.what(),
              directory.root().string());
    return false;
  }
}

}  // namespace

ExitCode run_sweep_here(const experiments::SweepDirectory& directory,
                        const experiments::SweepPlan& plan,
                        const std::vector<const experiments::PlannedRun*>& runs,
                        const experiments::ResolveRun& resolve, int at_once, const Lease& lock,
                        bool quiet) {
  experiments::LocalOptions options;
  options.at_once = std::min(at_once, static_cast<int>(runs.size()));
  options.task.program = this_program();
  // Cores are shared by those that run at once.
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.task.threads = std::max(1, cores / at_once);
  options.slots = slots();

  const StopSignals signals;
  Progress progress("sweep", "runs", static_cast<std::int64_t>(runs.size()),
                    quiet ? ProgressStyle::kQuiet : progress_style(false));
  const auto told = [&](const experiments::PlannedRun& run, const std::string& what,
                        const experiments::LocalOutcome& so_far) {
    if (!quiet && what != "start") print_end(directory, run, what);
    progress.update(static_cast<std::int64_t>(so_far.done + so_far.failed + so_far.stopped),
                    so_far.failed > 0 ? fmt::format("{} failed", so_far.failed) : "");
  };
  const experiments::LocalOutcome outcome =
      experiments::run_locally(directory, plan, runs, resolve, options, lock, signals, told);
  progress.finish();
  const bool ended = signals.pending() == 0 && outcome.stopped == 0;
  const bool reported = ended && outcome.done > 0 && write_report(directory, plan);
  if (!quiet) {
    fmt::print("{} done, {} failed, {} stopped, {} not started\n", outcome.done, outcome.failed,
               outcome.stopped, outcome.blocked);
    if (reported) fmt::print("report: {}\n", directory.report_file().string());
    const std::string again = fmt::format(" --local {}", at_once);
    fmt::print("Next: lacuna sweep {} {}{}\n", ended ? "status" : "submit",
               directory.root().string(), ended ? "" : again);
  }
  if (signals.pending() != 0) return ExitCode::kSavedOnRequest;
  if (outcome.failed > 0 || outcome.blocked > 0) return ExitCode::kError;
  return outcome.stopped > 0 ? ExitCode::kSavedOnRequest : ExitCode::kDone;
}

}  // namespace lacuna::app

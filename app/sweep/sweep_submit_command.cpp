// lacuna sweep submit and retry: runs that are not done go to SLURM, or are done here.
#include <algorithm>
#include <functional>

#include <fmt/core.h>

#include "app/sweep/scheduler_choice.h"
#include "app/sweep/sweep.h"
#include "app/sweep/sweep_local.h"
#include "base/text/log.h"
#include "experiments/run_journal.h"
#include "experiments/sweep_status.h"
#include "experiments/sweep_submit.h"

namespace lacuna::app {
namespace {

using experiments::PlannedRun;
using experiments::RunState;

enum class Which { kOpen, kFailed };

std::vector<const PlannedRun*> choose(const experiments::SweepPlan& plan,
                                      const experiments::SweepStatus& status, Which which) {
  std::vector<const PlannedRun*> chosen;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const experiments::RunStatus& run = status.runs[i];
    const bool failed = run.state == RunState::kFailed;
    if (run.active || run.state == RunState::kDone || failed != (which == Which::kFailed)) continue;
    chosen.push_back(&plan.runs[i]);
  }
  return chosen;
}

bool is_active(const experiments::RunStatus& run) { return run.active; }

// What is not started, and why.
void print_rest(const experiments::SweepStatus& status, Which which, bool quiet) {
  for (const std::string& note : status.notes) log::warn("{}", note);
  if (quiet) return;
  const std::size_t done = status.count[static_cast<std::size_t>(RunState::kDone)];
  const std::size_t failed = status.count[static_cast<std::size_t>(RunState::kFailed)];
  const auto active = std::count_if(status.runs.begin(), status.runs.end(), is_active);
  if (done > 0) fmt::print("{} runs are done already.\n", done);
  if (active > 0) fmt::print("{} runs are under way.\n", active);
  if (failed > 0 && which == Which::kOpen) {
    fmt::print("{} runs have failed and stay so: lacuna sweep retry does them again.\n", failed);
  }
}

ExitCode give_to_slurm(const experiments::SweepDirectory& directory,
                       const experiments::SweepPlan& plan,
                       const std::vector<const PlannedRun*>& runs, bool quiet) {
  const auto batch_system = scheduler();
  const auto report =
      experiments::submit_runs(directory, plan, runs, this_program(), *batch_system);
  if (quiet) return ExitCode::kDone;
  for (const std::string& note : report.notes) fmt::print("{}\n", note);
  for (const auto& array : report.arrays) {
    fmt::print("job {}: {} runs, script {}\n", array.job, array.tasks.size(),
               (directory.jobs() / (array.name + ".sbatch")).string());
  }
  if (!report.report_job.empty()) {
    fmt::print("job {}: the report, when they have ended: {}\n", report.report_job,
               directory.report_file().string());
  }
  fmt::print("Next: lacuna sweep status {}\n", directory.root().string());
  return ExitCode::kDone;
}

ExitCode submit(const SweepArguments& arguments, Which which) {
  const experiments::SweepDirectory directory = sweep_directory(arguments);
  SweepResolver resolver;
  const experiments::SweepDefinition definition = sweep_definition(arguments, directory);
  const experiments::SweepPlan plan = experiments::make_plan(definition, resolver.function());
  resolver.check_data(plan.evaluate.part);
  const std::unique_ptr<Lease> lock = directory.lock();
  directory.store(definition, plan);
  const auto known = scheduler_if_used(directory);
  const experiments::SweepStatus status = experiments::read_status(directory, plan, known.get());
  const std::vector<const PlannedRun*> runs = choose(plan, status, which);
  print_rest(status, which, arguments.quiet);
  if (runs.empty()) {
    if (!arguments.quiet) fmt::print("Nothing is left to be started.\n");
    // What is under way may still lack the job that writes its report.
    const bool active = std::any_of(status.runs.begin(), status.runs.end(), is_active);
    if (arguments.local > 0 || !active) return ExitCode::kDone;
  }
  if (which == Which::kFailed) {
    for (const PlannedRun* run : runs) {
      experiments::write_journal(directory.journal(run->id), "retry", Json::object());
    }
  }
  if (arguments.local > 0) {
    return run_sweep_here(directory, plan, runs, resolver.function(), arguments.local, *lock,
                          arguments.quiet);
  }
  return give_to_slurm(directory, plan, runs, arguments.quiet);
}

void add(CLI::App& sweep, ExitCode& code, const char* name, const char* help, Which which,
         const char* example) {
  auto* command = sweep.add_subcommand(name, help);
  const auto arguments = std::make_shared<SweepArguments>();
  add_sweep_options(*command, *arguments);
  command->add_option("--local", arguments->local, "On this machine, so many runs at a time")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "Print errors only");
  command->footer(example);
  command->callback([arguments, which, &code] { code = submit(*arguments, which); });
}

}  // namespace

void add_sweep_submit(CLI::App& sweep, ExitCode& code) {
  add(sweep, code, "submit", "Starts what is not done yet, on SLURM or here", Which::kOpen,
      "Example: lacuna sweep submit sweep.json --local 2\n"
      "Again after a stop: goes on. With more runs in the file: does those that are new.\n"
      "Exit codes with --local: 0 all done, 1 some failed, 75 stopped on request.");
  add(sweep, code, "retry", "Starts the runs that failed again", Which::kFailed,
      "Example: lacuna sweep retry sweeps/first --local 2");
}

}  // namespace lacuna::app

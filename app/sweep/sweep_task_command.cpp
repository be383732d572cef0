// lacuna sweep task: one run of a sweep, as the jobs of the batch system call it.
#include <cstdlib>

#include "app/sweep/sweep.h"
#include "base/process/signals.h"
#include "experiments/run_task.h"

namespace lacuna::app {
namespace {

struct SweepTaskOptions {
  std::string directory, run, staging;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// "12_3": the task of an array, as squeue names it.
std::string job_name() {
  const std::string array = variable("SLURM_ARRAY_JOB_ID"), job = variable("SLURM_JOB_ID");
  return array.empty() ? job : array + "_" + variable("SLURM_ARRAY_TASK_ID");
}

ExitCode run(const SweepTaskOptions& options) {
  const StopSignals signals;
  const experiments::SweepDirectory directory(options.directory);
  const experiments::SweepPlan plan = directory.read_plan();
  const experiments::PlannedRun* run = plan.find(options.run);
  if (!run) {
    throw_error<ConfigError>("{}: has no run {}. lacuna sweep status {} --all lists them",
                             directory.plan_file().string(), options.run, options.directory);
  }
  SweepResolver resolver;
  experiments::TaskSettings settings;
  settings.program = this_program();
  settings.job = job_name();
  settings.staging = options.staging;
  return experiments::run_task(directory, plan, *run, resolver.function(), settings,
                               [&] { return signals.pending() != 0; });
}

}  // namespace

void add_sweep_task(CLI::App& sweep, ExitCode& code) {
  auto* command = sweep.add_subcommand("task", "Trains and evaluates one run; jobs call it");
  const auto options = std::make_shared<SweepTaskOptions>();
  command->add_option("directory", options->directory, "Sweep directory")->required();
  command->add_option("run", options->run, "Identity of the run")->required();
  command->add_option("--staging", options->staging, "Node-local directory for copies of cases");
  command->footer("Example: lacuna sweep task sweeps/first 0123456789abcdef");
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace lacuna::app

// lacuna sweep status and cancel: where all runs stand, and an end to those that are under way.
#include <csignal>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "app/sweep/scheduler_choice.h"
#include "app/sweep/sweep.h"
#include "base/process/host.h"
#include "base/text/log.h"
#include "experiments/sweep_status.h"
#include "experiments/sweep_submit.h"

namespace lacuna::app {
namespace {

void print_status(const SweepArguments& arguments) {
  const experiments::SweepDirectory directory = sweep_directory(arguments);
  const experiments::SweepPlan plan = directory.read_plan();
  const auto batch_system = scheduler_if_used(directory);
  const experiments::SweepStatus status =
      experiments::read_status(directory, plan, batch_system.get());
  if (arguments.json) {
    fmt::print("{}\n", experiments::status_json(directory, plan, status).dump(2));
    return;
  }
  fmt::print("{}{}\n", experiments::status_table(plan, status, arguments.all),
             experiments::status_summary(plan, status));
  for (const std::string& note : status.notes) log::warn("{}", note);
}

// A local executor of this host: it stops its trainings, which save.
bool stop_executor(const experiments::SweepDirectory& directory) {
  const auto owner = read_lease(directory.root());
  if (!owner || owner->host != host_name() || ::kill(static_cast<pid_t>(owner->pid), 0) != 0) {
    return false;
  }
  ::kill(static_cast<pid_t>(owner->pid), SIGTERM);
  fmt::print("Process {} was asked to stop: its runs save and end.\n", owner->pid);
  return true;
}

void cancel(const SweepArguments& arguments) {
  const experiments::SweepDirectory directory = sweep_directory(arguments);
  directory.read_plan();  // it must be a sweep
  const bool local = stop_executor(directory);
  if (!std::filesystem::exists(directory.submissions_file())) {
    if (!local) fmt::print("Nothing is under way.\n");
    return;
  }
  std::unique_ptr<Lease> lock;
  if (!local) lock = directory.lock();
  const auto jobs = experiments::cancel_runs(directory, *scheduler());
  if (!jobs.empty()) fmt::print("cancelled: job {}\n", fmt::join(jobs, ", "));
  if (jobs.empty() && !local) fmt::print("Nothing is under way.\n");
}

}  // namespace

void add_sweep_status(CLI::App& sweep, ExitCode&) {
  auto* command = sweep.add_subcommand("status", "Where each run stands");
  const auto arguments = std::make_shared<SweepArguments>();
  add_sweep_choice(*command, *arguments);
  command->add_flag("--json", arguments->json, "JSON instead of a table");
  command->add_flag("--all", arguments->all, "Every run, however many");
  command->footer("Example: lacuna sweep status sweeps/first");
  command->callback([arguments] { print_status(*arguments); });
}

void add_sweep_cancel(CLI::App& sweep, ExitCode&) {
  auto* command = sweep.add_subcommand("cancel", "Ends what waits or runs; submit goes on later");
  const auto arguments = std::make_shared<SweepArguments>();
  add_sweep_choice(*command, *arguments);
  command->footer("Example: lacuna sweep cancel sweeps/first");
  command->callback([arguments] { cancel(*arguments); });
}

}  // namespace lacuna::app

// lacuna sweep plan: which runs a sweep has, what of them exists, how long the rest takes.
#include <algorithm>

#include <fmt/core.h>

#include "app/sweep/scheduler_choice.h"
#include "app/sweep/sweep.h"
#include "base/text/log.h"
#include "base/text/text_table.h"
#include "experiments/sweep_status.h"

namespace lacuna::app {
namespace {

constexpr std::size_t kScreen = 60;  // rows that people read

// Runs of the directory that the definition does not have any more: they are kept.
std::size_t strangers(const experiments::SweepDirectory& directory,
                      const experiments::SweepPlan& plan) {
  std::set<std::string> known;
  for (const auto& run : plan.runs) known.insert(run.id);
  std::error_code none;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.root() / "runs", none)) {
    count += known.contains(entry.path().filename().string()) ? 0 : 1;
  }
  return count;
}

void print_groups(const experiments::SweepPlan& plan) {
  if (plan.groups.size() < 2) return;
  for (const auto& group : plan.groups) {
    std::string after;
    for (const std::size_t i : group.after) {
      after += (after.empty() ? ", after " : " and ") + plan.groups[i].name;
    }
    fmt::print("group {}{}\n", group.name, after);
  }
}

void print_kinds(const experiments::Estimate& estimate) {
  for (const auto& [kind, seconds] : estimate.step_seconds) {
    fmt::print("measured: {:.3g} s per step of {}\n", seconds, kind);
  }
}

void plan(const SweepArguments& arguments) {
  const experiments::SweepDirectory directory = sweep_directory(arguments);
  SweepResolver resolver;
  const experiments::SweepDefinition definition = sweep_definition(arguments, directory);
  const experiments::SweepPlan made = experiments::make_plan(definition, resolver.function());
  std::string data_problem;
  try {
    resolver.check_data(made.evaluate.part);
  } catch (const Error& error) {
    data_problem = error.what();
  }
  const auto scheduler = scheduler_if_used(directory);
  const experiments::SweepStatus status =
      experiments::read_status(directory, made, scheduler.get());
  if (arguments.json) {
    Json json = experiments::status_json(directory, made, status);
    if (!data_problem.empty()) json["notes"].push_back(data_problem);
    fmt::print("{}\n", json.dump(2));
    return;
  }
  print_groups(made);
  const std::size_t shown = arguments.all ? made.runs.size() : std::min(made.runs.size(), kScreen);
  TextTable table({{}, {}, {"", true}, {}});
  for (std::size_t i = 0; i < shown; ++i) {
    table.add({made.runs[i].id, experiments::state_name(status.runs[i].state),
               fmt::format("{} steps", made.runs[i].steps), made.runs[i].label});
  }
  fmt::print("{}", table.text());
  if (shown < made.runs.size()) {
    fmt::print("... and {} more; --all shows them\n", made.runs.size() - shown);
  }
  print_kinds(experiments::estimate(made, status));
  fmt::print("{}\n", experiments::status_summary(made, status));
  if (const std::size_t others = strangers(directory, made); others > 0) {
    fmt::print("{} runs in {} are not in this sweep file; they stay.\n", others,
               directory.root().string());
  }
  for (const std::string& note : status.notes) log::warn("{}", note);
  if (!data_problem.empty()) log::warn("{}", data_problem);
}

}  // namespace

void add_sweep_plan(CLI::App& sweep, ExitCode&) {
  auto* command = sweep.add_subcommand("plan", "Lists the runs, what exists, how long they take");
  const auto arguments = std::make_shared<SweepArguments>();
  add_sweep_options(*command, *arguments);
  command->add_flag("--json", arguments->json, "JSON instead of text");
  command->add_flag("--all", arguments->all, "Every run, however many");
  command->footer("Example: lacuna sweep plan sweep.json --set train.steps=2000");
  command->callback([arguments] { plan(*arguments); });
}

}  // namespace lacuna::app

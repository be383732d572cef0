// lacuna config: every key of a run, with value, default, meaning and unit.
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "base/text/json.h"
#include "base/text/options.h"
#include "base/text/text_table.h"
#include "methods/registry.h"
#include "worker/run/run_config.h"

namespace lacuna::app {
namespace {

struct ConfigArguments {
  std::string file, reference;
  std::vector<std::string> settings;
  bool json = false;
};

std::string limits(const Option& option) {
  if (!option.allowed.empty()) return fmt::format("{}", fmt::join(option.allowed, ", "));
  const bool low = option.minimum > -1e300, high = option.maximum < 1e300;
  if (low && high) return fmt::format("{} to {}", option.minimum, option.maximum);
  if (low) return fmt::format("at least {}", option.minimum);
  return high ? fmt::format("at most {}", option.maximum) : "";
}

void print_resolved(const ConfigArguments& arguments) {
  const worker::RunConfig config =
      worker::resolve_run(read_json(arguments.file), arguments.file, arguments.settings);
  if (arguments.json) {
    fmt::print("{}\n", config.resolved.dump(2));
    return;
  }
  TextTable table({{}, {"", false, 0, 22, /*cut=*/false}, {}});
  for (const Option& option : worker::run_options(config.method)) {
    const Json* value = find_path(config.resolved, option.path);
    const std::string shown = value ? value->dump() : "null";
    const bool changed = shown != Json::parse(option.fallback).dump();
    table.add({std::string(changed ? "* " : "  ") + option.path, shown,
               option.meaning + (option.unit.empty() ? "" : fmt::format(" [{}]", option.unit))});
  }
  fmt::print("{}\n* = not the default. Hash of what decides the result: {}\n", table.text(),
             config.hash);
}

// A Markdown table: docs/configuration.md is made of these.
void print_reference(const std::string& method) {
  fmt::print("| key | default | meaning | unit | allowed |\n|---|---|---|---|---|\n");
  for (const Option& option : worker::run_options(method)) {
    fmt::print("| `{}` | `{}` | {} | {} | {} |\n", option.path, option.fallback, option.meaning,
               option.unit, limits(option));
  }
}

}  // namespace

void add_config(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("config", "The resolved configuration, key by key");
  auto arguments = std::make_shared<ConfigArguments>();
  auto* file = command->add_option("run", arguments->file, "Run file (JSON)");
  command->add_option("--set", arguments->settings, "Overrides a key: train.batch=4; may repeat")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "The resolved run as JSON");
  auto* reference = command->add_option("--reference", arguments->reference,
                                        "All keys of a method as a Markdown table instead");
  file->excludes(reference);
  command->footer("Example: lacuna config run.json --set train.steps=2000");
  command->callback([arguments, command] {
    if (!arguments->reference.empty()) {
      print_reference(arguments->reference);
    } else if (!arguments->file.empty()) {
      print_resolved(*arguments);
    } else {
      throw_error<ConfigError>("config: name a run file, or a method with --reference.\n{}",
                               command->help());
    }
  });
}

}  // namespace lacuna::app

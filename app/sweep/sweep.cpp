#include "app/sweep/sweep.h"

#include <filesystem>

#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "worker/run/run_resolver.h"

namespace lacuna::app {

struct SweepResolver::State {
  worker::RunResolver resolver;
  std::set<std::pair<std::filesystem::path, std::string>> data;  // caches with splits
};

SweepResolver::SweepResolver() : state_(std::make_shared<State>()) {}

experiments::ResolveRun SweepResolver::function() {
  return [state = state_](const Json& run, const std::string& where) {
    worker::RunConfig config = state->resolver.resolve(run, where);
    state->data.emplace(config.cache, config.split);
    return experiments::ResolvedRun{std::move(config.resolved), std::move(config.hash)};
  };
}

void SweepResolver::check_data(const std::string& part) const {
  for (const auto& [cache, split] : state_->data) {
    if (cache.empty()) {
      throw_error<ConfigError>(
          "data.cache is not set: name the directory that `lacuna ingest` wrote, for example --set "
          "data.cache=cache/");
    }
    const data::Cohort cohort = data::open_cohort(cache);
    for (const std::string& name : {std::string("train"), part}) {
      if (!cohort.part(split, name).empty()) continue;
      throw_error<ConfigError>("{}: part {} of split {} has no cases. Set evaluate.part to another",
                               cache.string(), name, split);
    }
  }
}

experiments::SweepDirectory sweep_directory(const SweepArguments& arguments) {
  if (!arguments.out.empty()) return experiments::SweepDirectory(arguments.out);
  const std::filesystem::path given(arguments.sweep);
  if (std::filesystem::is_directory(given)) return experiments::SweepDirectory(given);
  if (!std::filesystem::exists(given)) {
    throw_error<DataError>("{}: neither a sweep directory nor a sweep file. Check the path.",
                           arguments.sweep);
  }
  return experiments::SweepDirectory(given.parent_path() / "sweeps" / given.stem());
}

experiments::SweepDefinition sweep_definition(const SweepArguments& arguments,
                                              const experiments::SweepDirectory& directory) {
  if (std::filesystem::is_directory(arguments.sweep)) {
    if (!std::filesystem::exists(directory.definition_file())) {
      throw_error<DataError>(
          "{}: no sweep directory (no sweep.json in it). Name a sweep file: lacuna sweep submit "
          "SWEEP.json",
          directory.root().string());
    }
    try {
      read_json(directory.definition_file());
    } catch (const Error& error) {
      throw_error<DataError>("{}. It is a copy: name your sweep file, with --out {}", error.what(),
                             directory.root().string());
    }
    return experiments::read_definition(directory.definition_file(), arguments.settings);
  }
  return experiments::read_definition(arguments.sweep, arguments.settings);
}

void add_sweep_choice(CLI::App& command, SweepArguments& arguments) {
  command.add_option("sweep", arguments.sweep, "Sweep directory, or sweep file (JSON)")->required();
  command.add_option("--out", arguments.out,
                     "Sweep directory of a file (default: sweeps/<sweep file>)");
}

void add_sweep_options(CLI::App& command, SweepArguments& arguments) {
  add_sweep_choice(command, arguments);
  command
      .add_option("--set", arguments.settings,
                  "Overrides a key of the base: train.steps=2000; may repeat")
      ->allow_extra_args(false);
}

std::vector<std::string> this_program() {
  return {std::filesystem::read_symlink("/proc/self/exe").string()};
}

}  // namespace lacuna::app

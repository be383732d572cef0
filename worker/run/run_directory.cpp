#include "worker/run/run_directory.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/lease.h"
#include "base/text/log.h"
#include "methods/registry.h"
#include "worker/run/run_progress.h"
#include "worker/state/checkpoint_store.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {
namespace {

// The best checkpoint of a run if it verifies, else the newest that does.
Path choose_checkpoint(const Path& run) {
  const Path directory = run / "checkpoints";
  if (!std::filesystem::is_directory(directory)) {
    throw_error<DataError>(
        "{}: neither a run directory (no checkpoints/ in it) nor a checkpoint (no manifest.json). "
        "Train first: lacuna train RUN.json --out {}",
        run.string(), run.string());
  }
  const CheckpointStore store(posix_file_system(), directory, /*keep=*/1);
  const auto newest = store.newest_valid([](const Path& path, const std::string& reason) {
    log::warn("{}: this checkpoint is not used: {}. Taking the one before it.", path.string(),
              reason);
  });
  if (!newest) {
    throw_error<DataError>(
        "{}: holds no valid checkpoint. Train on: lacuna train RUN.json --out {}",
        directory.string(), run.string());
  }
  const auto best = RunProgress::from_json(read_json(store.path(*newest) / "state.json")).best_step;
  if (best && *best != *newest) {
    if (!store.problem(store.path(*best))) return store.path(*best);
    log::warn("{}: the best checkpoint (step {}) is not there or damaged; taking step {}",
              directory.string(), *best, *newest);
  }
  return store.path(*newest);
}

void require_whole(const Path& checkpoint) {
  const CheckpointStore store(posix_file_system(), checkpoint.parent_path(), /*keep=*/1);
  if (const auto problem = store.problem(checkpoint)) {
    throw_error<DataError>(
        "{}: this checkpoint cannot be used: {}. Name another one, or the run "
        "directory, which takes the newest valid one.",
        checkpoint.string(), *problem);
  }
}

}  // namespace

int go_back_to(const std::filesystem::path& run, std::int64_t step) {
  const Path directory = run / "checkpoints";
  const CheckpointStore store(posix_file_system(), directory, /*keep=*/1);
  const std::vector<std::int64_t> steps =
      std::filesystem::is_directory(directory) ? store.steps() : std::vector<std::int64_t>();
  if (std::find(steps.begin(), steps.end(), step) == steps.end()) {
    throw_error<ConfigError>("{}: no checkpoint of step {}; there are: {}", directory.string(),
                             step, steps.empty() ? "none" : fmt::to_string(fmt::join(steps, ", ")));
  }
  require_whole(store.path(step));
  const Lease lease(run);
  int moved = 0;
  for (const std::int64_t each : steps) {
    if (each <= step) continue;
    Path aside = store.path(each);
    aside += ".later";
    std::filesystem::remove_all(aside);  // of a time before, when it went back as well
    posix_file_system().rename(store.path(each), aside);
    ++moved;
  }
  posix_file_system().sync_directory(directory);
  return moved;
}

std::filesystem::path evaluated_checkpoint(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    throw_error<DataError>("{}: no such directory. Name a run directory or a checkpoint in it.",
                           path.string());
  }
  if (!std::filesystem::exists(path / "manifest.json")) return choose_checkpoint(path);
  require_whole(path);
  return path;
}

LoadedModel load_model(const std::filesystem::path& path) {
  LoadedModel model;
  model.checkpoint = evaluated_checkpoint(path);
  try {
    const Json state = read_json(model.checkpoint / "state.json");
    model.step = RunProgress::from_json(state).step;
    model.config = resolve_saved_run(state.at("run"), (model.checkpoint / "state.json").string());
    model.modalities = data::ModalitySet(state.at("cohort").at("modalities"));
    const Json& cohort = state.at("cohort");
    if (cohort.contains("grid")) model.grid = data::grid_from_json(cohort.at("grid"));
  } catch (const Json::exception& error) {
    throw_error<DataError>("{}: not a state of this version: {}",
                           (model.checkpoint / "state.json").string(), error.what());
  }
  model.method = methods::make_method(model.config.method, model.modalities, model.config.width,
                                      model.config.method_options, model.config.patch);
  const torch::NoGradGuard no_grad;
  NamedTensors tensors = named_tensors(*model.method);
  load_into(tensors, model.checkpoint / "model.safetensors");
  if (model.config.ema > 0) {
    NamedTensors parameters;
    for (const auto& item : model.method->module().named_parameters()) {
      parameters.emplace_back(item.key(), item.value());
    }
    load_into(parameters, model.checkpoint / "ema.safetensors");
  }
  model.method->module().eval();
  model.method->invalidate_evaluation_cache();
  return model;
}

}  // namespace lacuna::worker

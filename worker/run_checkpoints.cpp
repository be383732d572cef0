#include "worker/run_checkpoints.h"

#include "base/error.h"
#include "base/log.h"

namespace lacuna::worker {

RunCheckpoints::RunCheckpoints(const RunConfig& config, RunFiles& run, FileSystem& files,
                               Json identity)
    : config_(config),
      run_(run),
      store_(files, run.checkpoints(), config.checkpoint_keep),
      writer_(store_, [this](const Snapshot& snapshot, double seconds,
                             const std::string& error) { report(snapshot, seconds, error); }),
      identity_(std::move(identity)) {}

std::optional<RunProgress> RunCheckpoints::find() {
  const auto step = store_.newest_valid([&](const Path& path, const std::string& reason) {
    log::warn("{}: this checkpoint is not used: {}. Taking the one before it.", path.string(),
              reason);
    run_.event("checkpoint_rejected", 0, {{"path", path.string()}, {"reason", reason}});
  });
  if (!step) return std::nullopt;
  restored_ = last_step_ = *step;
  saved_step_ = step;
  const Path path = store_.path(*step) / "state.json";
  try {
    return RunProgress::from_json(read_json(path));
  } catch (const Json::exception& error) {
    throw_error<DataError>(
        "{}: not a state of this version: {}. Remove the checkpoint to start "
        "from the one before it.",
        path.string(), error.what());
  }
}

void RunCheckpoints::load(TrainingState& state) const {
  const Path directory = store_.path(restored_);
  load_into(state.model(), directory / "model.safetensors");
  load_into(state.optimizers(), directory / "optimizer.safetensors");
  if (state.ema()) load_into(state.averages(), directory / "ema.safetensors");
}

bool RunCheckpoints::is_due(std::int64_t step) const {
  if (config_.checkpoint_steps > 0 && step - last_step_ >= config_.checkpoint_steps) return true;
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_time_;
  return config_.checkpoint_seconds > 0 &&
         since.count() >= static_cast<double>(config_.checkpoint_seconds);
}

void RunCheckpoints::save(const TrainingState& state, const RunProgress& progress) {
  writer_.wait();
  run_.metrics().sync();
  Snapshot snapshot;
  snapshot.step = progress.step;
  snapshot.best = progress.best_step;
  snapshot.model = copy_to_host(state.model());
  snapshot.optimizer = copy_to_host(state.optimizers());
  snapshot.ema = copy_to_host(state.averages());
  snapshot.state = progress.to_json();
  snapshot.state.update(identity_);
  // Multiples of the interval, also after a save for another reason.
  const std::int64_t every = config_.checkpoint_steps;
  last_step_ = every > 0 ? progress.step / every * every : progress.step;
  last_time_ = std::chrono::steady_clock::now();
  saved_step_ = progress.step;
  writer_.submit(std::move(snapshot));
}

bool RunCheckpoints::finish() {
  writer_.wait();
  return !writer_.last_failed();
}

void RunCheckpoints::report(const Snapshot& snapshot, double seconds, const std::string& error) {
  if (error.empty()) {
    run_.event("checkpoint", snapshot.step, {{"seconds", seconds}});
    return;
  }
  log::warn("checkpoint of step {} was not saved: {} Training goes on; the next one may succeed.",
            snapshot.step, error);
  run_.event("checkpoint_failed", snapshot.step, {{"reason", error}});
}

}  // namespace lacuna::worker

#include "worker/run/run_checkpoints.h"

#include "base/error.h"
#include "base/files/hash.h"
#include "base/text/log.h"

namespace lacuna::worker {

RunCheckpoints::RunCheckpoints(const RunConfig& config, RunFiles& run, FileSystem& files,
                               Json identity, bool writes)
    : config_(config),
      run_(run),
      store_(files, run.checkpoints(), config.checkpoint_keep),
      writer_(store_, [this](const Snapshot& snapshot, double seconds,
                             const std::string& error) { report(snapshot, seconds, error); }),
      identity_(std::move(identity)),
      writes_(writes) {}

std::optional<std::int64_t> RunCheckpoints::choose() {
  return store_.newest_valid([&](const Path& path, const std::string& reason) {
    log::warn("{}: this checkpoint is not used: {}. Taking the one before it.", path.string(),
              reason);
    run_.event("checkpoint_rejected", 0, {{"path", path.string()}, {"reason", reason}});
  });
}

std::optional<RunProgress> RunCheckpoints::find(RankGroup& ranks) {
  const auto mine = ranks.writes() ? choose() : std::nullopt;
  const Json step = ranks.share(mine ? Json(*mine) : Json(), "the choice of a checkpoint");
  if (step.is_null()) return std::nullopt;
  restored_ = last_step_ = step;
  saved_step_ = restored_;
  const Path directory = store_.path(restored_);
  if (ranks.size() > 1) {
    const auto problem = ranks.writes() ? std::nullopt : store_.problem(directory);
    ranks.expect_same(problem ? *problem : hash_file_hex(directory / "manifest.json"),
                      "checkpoint manifest");
  }
  try {
    return RunProgress::from_json(read_json(directory / "state.json"));
  } catch (const Json::exception& error) {
    throw_error<DataError>(
        "{}: not a state of this version: {}. Remove the checkpoint to start "
        "from the one before it.",
        (directory / "state.json").string(), error.what());
  }
}

void RunCheckpoints::load(TrainingState& state) const {
  const Path directory = store_.path(restored_);
  load_into(state.model(), directory / "model.safetensors");
  load_into(state.optimizers(), directory / "optimizer.safetensors");
  if (state.ema()) load_into(state.averages(), directory / "ema.safetensors");
}

void RunCheckpoints::load_evaluated(std::int64_t step, const NamedTensors& weights,
                                    const TrainingState& state) const {
  const std::size_t averaged = state.averages().size();
  const Path directory = store_.path(step);
  load_into(weights, directory / "model.safetensors");
  if (averaged == 0) return;
  const auto end = weights.begin() + static_cast<std::ptrdiff_t>(averaged);
  load_into({weights.begin(), end}, directory / "ema.safetensors");
}

bool RunCheckpoints::is_due(std::int64_t step) const {
  if (!writes_) return false;
  if (config_.checkpoint_steps > 0 && step - last_step_ >= config_.checkpoint_steps) return true;
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_time_;
  return config_.checkpoint_seconds > 0 &&
         since.count() >= static_cast<double>(config_.checkpoint_seconds);
}

void RunCheckpoints::save(const TrainingState& state, const RunProgress& progress,
                          NamedTensors pending) {
  if (!writes_) return;
  const auto start = std::chrono::steady_clock::now();
  writer_.wait();
  run_.sync_metrics();
  Snapshot snapshot;
  snapshot.step = progress.step;
  for (const auto& kept : {progress.best_step, progress.candidate}) {
    if (kept) snapshot.keep.insert(*kept);
  }
  snapshot.model = copy_to_host(state.model());
  snapshot.optimizer = copy_to_host(state.optimizers());
  snapshot.ema = copy_to_host(state.averages());
  snapshot.pending = std::move(pending);
  snapshot.state = progress.to_json();
  snapshot.state.update(identity_);
  // Multiples of the interval, also after a save for another reason.
  const std::int64_t every = config_.checkpoint_steps;
  last_step_ = every > 0 ? progress.step / every * every : progress.step;
  last_time_ = std::chrono::steady_clock::now();
  saved_step_ = progress.step;
  snapshot.stall_seconds = std::chrono::duration<double>(last_time_ - start).count();
  writer_.submit(std::move(snapshot));
}

bool RunCheckpoints::finish() {
  writer_.wait();
  return !writer_.last_failed();
}

void RunCheckpoints::report(const Snapshot& snapshot, double seconds, const std::string& error) {
  if (error.empty()) {
    run_.event("checkpoint", snapshot.step,
               {{"seconds", seconds}, {"stall_seconds", snapshot.stall_seconds}});
    return;
  }
  log::warn("checkpoint of step {} was not saved: {} Training goes on; the next one may succeed.",
            snapshot.step, error);
  run_.event("checkpoint_failed", snapshot.step, {{"reason", error}});
}

}  // namespace lacuna::worker

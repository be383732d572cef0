#include "worker/run/run_checkpoints.h"

#include "base/error.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"
#include "worker/state/tensor_pack.h"

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
  return store_.claim([&](const Path& path, const std::string& reason) {
    log::warn("{}: this checkpoint is not used: {}. Taking the one before it.", path.string(),
              reason);
    run_.event("checkpoint_rejected", 0, {{"path", path.string()}, {"reason", reason}});
  });
}

// Rank 0 alone reads and verifies: hundreds of ranks that read the same files would wait for one
// another, and what they then hold is the same by construction.
std::optional<RunProgress> RunCheckpoints::find(RankGroup& ranks) {
  const auto mine = ranks.writes() ? choose() : std::nullopt;
  Json found;
  if (mine) found = {{"step", *mine}, {"state", read_json(store_.path(*mine) / "state.json")}};
  found = ranks.share(found, "the choice of a checkpoint");
  if (found.is_null()) return std::nullopt;
  restored_ = last_step_ = found.at("step");
  saved_step_ = restored_;
  const std::string file = (store_.path(restored_) / "state.json").string();
  RunProgress progress;
  try {
    progress = convert_json(file, "a state of a run",
                            [&] { return RunProgress::from_json(found.at("state")); });
  } catch (const DataError& error) {
    throw_error<DataError>("{} Rename the checkpoint to start from the one before it.",
                           error.what());
  }
  if (ranks.writes()) adopt(progress);
  return progress;
}

// What the counters name beside this step must be whole, or it is not waited for.
void RunCheckpoints::adopt(RunProgress& progress) {
  if (progress.candidate) store_.vouch(*progress.candidate);
  const auto best = progress.best_step;
  if (best && !store_.vouches_for(*best) && !store_.vouch(*best)) {
    log::warn(
        "the best checkpoint so far, of step {}, is not there any more or damaged: the next "
        "validation decides anew",
        *best);
    progress.forget_best();
  }
  durable_best_ = {progress.best_step, progress.best_score};
}

void RunCheckpoints::settle_best(RunProgress& progress) {
  if (!writes_ || writer_.busy() || progress.best_step == durable_best_.step) return;
  if (!progress.best_step) return;
  if (store_.vouches_for(*progress.best_step)) {
    durable_best_ = {progress.best_step, progress.best_score};
  } else if (*progress.best_step != progress.step) {  // else its save comes now
    log::warn(
        "the weights of step {}, the best so far, could not be saved and are lost; the best is {}",
        *progress.best_step,
        durable_best_.step ? fmt::format("step {} again", *durable_best_.step) : "open again");
    progress.best_step = durable_best_.step;
    progress.best_score = durable_best_.score;
  }
}

void RunCheckpoints::load(TrainingState& state, RankGroup& ranks) const {
  std::string problem;
  if (ranks.writes()) {
    try {
      const Path directory = store_.path(restored_);
      load_into(state.model(), directory / "model.safetensors");
      load_into(state.optimizers(), directory / "optimizer.safetensors");
      if (state.ema()) load_into(state.averages(), directory / "ema.safetensors");
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  // One verdict on all ranks, or the others would wait for weights that do not come.
  const auto problems = ranks.gather(problem, "the loading of the checkpoint", kPatience);
  if (!problems.front().empty()) throw_error<DataError>("{}", problems.front());
  if (ranks.trainers() == 1) return;
  for (const NamedTensors& tensors : {state.model(), state.optimizers(), state.averages()}) {
    if (tensors.empty()) continue;
    TensorPack pack(tensors);
    if (ranks.writes()) pack.take(tensors);
    ranks.broadcast(ranks.trainer_ranks(), pack.bytes(), 0, "the checkpoint", kPatience);
    pack.put(tensors);
  }
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

void RunCheckpoints::save(const TrainingState& state, RunProgress& progress, NamedTensors pending) {
  if (!writes_) return;
  const auto start = std::chrono::steady_clock::now();
  writer_.wait();
  settle_best(progress);
  run_.sync_metrics();
  Snapshot snapshot;
  snapshot.step = progress.step;
  // A best that is this very step takes the place of the former one with its save, not before it.
  for (const auto& kept : {progress.best_step, progress.candidate}) {
    if (kept) snapshot.keep.insert(*kept);
  }
  if (config_.checkpoint_keep_every > 0) {
    for (const std::int64_t step : store_.steps()) {
      if (step % config_.checkpoint_keep_every == 0) snapshot.keep.insert(step);
    }
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

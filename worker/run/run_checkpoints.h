// Saving and restoring a run: when a checkpoint is due, what it holds, and the way back.
//
// Writes in the background. Failures become events and are counted; only an explicit wait reports
// them to the caller. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "worker/run/rank_group.h"
#include "worker/run/run_config.h"
#include "worker/run/run_files.h"
#include "worker/run/run_progress.h"
#include "worker/state/checkpoint_store.h"
#include "worker/state/checkpoint_writer.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {

class RunCheckpoints {
 public:
  // `identity` goes into every state.json, so that a checkpoint can be read without its run.
  // writes: this is rank 0; on other ranks nothing is ever due and save() does nothing.
  RunCheckpoints(const RunConfig& config, RunFiles& run, FileSystem& files, Json identity,
                 bool writes);

  // The counters of the newest valid checkpoint, if there is one; rejected ones become warnings
  // and events, and are renamed. Collective over all ranks: rank 0 reads.
  std::optional<RunProgress> find(RankGroup& ranks);
  // Copies the tensors of the checkpoint that find() chose. Collective over the trainers: rank 0
  // reads. Throws DataError.
  void load(TrainingState& state, RankGroup& ranks) const;
  // Its file of weights from which pending results are computed again.
  Path pending_file() const { return store_.path(restored_) / "pending.safetensors"; }
  // Whether a valid checkpoint of this step is there (on rank 0), and the weights in it that are
  // evaluated; `weights` are named as state.evaluated().
  bool holds(std::int64_t step) const { return store_.vouches_for(step); }
  void load_evaluated(std::int64_t step, const NamedTensors& weights,
                      const TrainingState& state) const;

  bool is_due(std::int64_t step) const;
  // The best of the counters is one that is on disk, or about to be: where its save failed, the one
  // before it counts again, and its score is the one to beat. Before each validation.
  void settle_best(RunProgress& progress);
  // Takes a copy and writes it in the background. A periodic save while another is still being
  // written is put off to a later step. Settles the best.
  // `pending` must not change any more.
  void save(const TrainingState& state, RunProgress& progress, NamedTensors pending);
  bool busy() const { return writer_.busy(); }
  // Waits for the save in flight; false when it failed.
  bool finish();
  std::int64_t failures() const { return writer_.failures(); }
  std::optional<std::int64_t> saved_step() const { return saved_step_; }

 private:
  struct Best {
    std::optional<std::int64_t> step;
    double score = 0;
  };

  std::optional<std::int64_t> choose();
  void adopt(RunProgress& progress);
  void report(const Snapshot& snapshot, double seconds, const std::string& error);

  const RunConfig& config_;
  RunFiles& run_;
  CheckpointStore store_;
  CheckpointWriter writer_;
  Json identity_;
  bool writes_;
  std::int64_t restored_ = -1, last_step_ = 0;
  std::optional<std::int64_t> saved_step_;
  Best durable_best_;  // on disk, and never pruned before a better one is
  std::chrono::steady_clock::time_point last_time_ = std::chrono::steady_clock::now();
};

}  // namespace lacuna::worker

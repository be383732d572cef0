// Saving and restoring a run: when a checkpoint is due, what it holds, and the way back.
//
// Writes in the background. Failures become events and are counted; only an explicit wait reports
// them to the caller. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "worker/checkpoint_store.h"
#include "worker/checkpoint_writer.h"
#include "worker/run_config.h"
#include "worker/run_files.h"
#include "worker/run_progress.h"
#include "worker/training_state.h"

namespace lacuna::worker {

class RunCheckpoints {
 public:
  // `identity` goes into every state.json, so that a checkpoint can be read without its run.
  RunCheckpoints(const RunConfig& config, RunFiles& run, FileSystem& files, Json identity);

  // The counters of the newest valid checkpoint, if there is one; rejected ones become warnings
  // and events.
  std::optional<RunProgress> find();
  // Copies the tensors of the checkpoint that find() chose. Throws DataError.
  void load(TrainingState& state) const;

  bool is_due(std::int64_t step) const;
  // Takes a copy and writes it in the background. A periodic save while another is still being
  // written is put off to a later step.
  void save(const TrainingState& state, const RunProgress& progress);
  bool busy() const { return writer_.busy(); }
  // Waits for the save in flight; false when it failed.
  bool finish();
  std::int64_t failures() const { return writer_.failures(); }
  std::optional<std::int64_t> saved_step() const { return saved_step_; }

 private:
  void report(const Snapshot& snapshot, double seconds, const std::string& error);

  const RunConfig& config_;
  RunFiles& run_;
  CheckpointStore store_;
  CheckpointWriter writer_;
  Json identity_;
  std::int64_t restored_ = -1, last_step_ = 0;
  std::optional<std::int64_t> saved_step_;
  std::chrono::steady_clock::time_point last_time_ = std::chrono::steady_clock::now();
};

}  // namespace lacuna::worker

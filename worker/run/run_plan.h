// Which stage and phases a run step belongs to, and which batches it uses: pure arithmetic on the
// step, so that a resumed run needs no counters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "methods/method.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

class RunPlan {
 public:
  // The method's stages for the run's steps, with the run's overrides (meta.*, subsets,
  // learning_rate) applied. Throws Error when the stages do not add up to the run's steps, and
  // ConfigError when a phase looks at the whole batch, which does not divide evenly among the
  // trainers and their micro-batches: a rank without samples would not join its sums.
  RunPlan(const methods::Method& method, const RunConfig& config, int trainers = 1);

  const std::vector<methods::Stage>& stages() const { return stages_; }
  std::int64_t steps() const { return steps_; }
  bool any_joint() const;  // whether a phase's loss looks at the whole batch
  // Says in the log when such a loss sees less than the batch, since it is computed in parts.
  void announce_joint(const RunConfig& config, int trainers) const;
  int stage_at(std::int64_t step) const;  // the last stage at and past the end
  std::int64_t start_of(int stage) const { return starts_[static_cast<std::size_t>(stage)]; }

  static bool is_due(const methods::Phase& phase, std::int64_t step) {
    return step % phase.period == 0;
  }
  std::int64_t end_of(int stage) const {
    return start_of(stage) + stages_[static_cast<std::size_t>(stage)].steps;
  }
  // By name; throws Error when the stage has no such phase.
  const methods::Phase& phase(int stage, const std::string& name) const;
  // Position of a phase among those of its stage, from 1.
  int phase_number(int stage, const methods::Phase& phase) const;
  // Training batches per step: the most that a phase of the stage repeats.
  std::int64_t batches_per_step(int stage) const;
  // Number of the first batch of the meta loader at `step`: updates on the meta set before it, in
  // this phase and in all meta phases of earlier stages.
  std::int64_t meta_batch(int stage, const methods::Phase& phase, std::int64_t step) const;

 private:
  std::vector<methods::Stage> stages_;
  std::vector<std::int64_t> starts_;
  std::int64_t steps_ = 0;
};

}  // namespace lacuna::worker

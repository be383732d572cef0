// The buffers of a method's module (running statistics) through one step: all trainers end it with
// the same ones, and a step that is skipped leaves them as they were. Not thread-safe.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "worker/run/rank_group.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {

class StepBuffers {
 public:
  // Must outlive the object.
  explicit StepBuffers(const TrainingState& state) : state_(state) {}

  // Before the first phase of a step; on the device of the buffers, without waiting for it.
  void keep();
  // As they were then: one bad batch would stay in a running mean for ever.
  void restore();
  // Each rank's follow its own samples. By how much those of floating point moved in the step is
  // averaged over the trainers, `share` being this rank's part of the batch (they sum to 1): what
  // follows a mean over samples then moves as in one process, and what stayed keeps its bits.
  // Others (counters) are rank 0's. So every rank holds what a checkpoint holds. Collective over
  // the trainers.
  void share(RankGroup& ranks, double share);

 private:
  const TrainingState& state_;
  std::vector<at::Tensor> kept_;
};

}  // namespace lacuna::worker

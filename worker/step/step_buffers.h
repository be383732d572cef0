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
  // Each rank's follow its own samples: all take those of rank 0, so that every rank holds what a
  // checkpoint holds. Collective over the trainers.
  void share(RankGroup& ranks);

 private:
  const TrainingState& state_;
  std::vector<at::Tensor> kept_;
};

}  // namespace lacuna::worker

#include "worker/step/step_buffers.h"

#include <torch/types.h>

#include "worker/state/tensor_pack.h"

namespace lacuna::worker {

void StepBuffers::keep() {
  const torch::NoGradGuard no_gradient;
  const NamedTensors buffers = state_.buffers();
  kept_.resize(buffers.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (kept_[i].defined()) {
      kept_[i].copy_(buffers[i].second);
    } else {
      kept_[i] = buffers[i].second.clone();
    }
  }
}

void StepBuffers::restore() {
  const torch::NoGradGuard no_gradient;
  const NamedTensors buffers = state_.buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    at::Tensor live = buffers[i].second;
    live.copy_(kept_[i]);
  }
}

void StepBuffers::share(RankGroup& ranks) {
  if (ranks.trainers() == 1) return;
  const NamedTensors buffers = state_.buffers();
  if (buffers.empty()) return;
  TensorPack pack(buffers);
  if (ranks.writes()) pack.take(buffers);
  ranks.broadcast(ranks.trainer_ranks(), pack.bytes(), 0, "the buffers");
  pack.put(buffers);
}

}  // namespace lacuna::worker

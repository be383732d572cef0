#include "worker/step/step_buffers.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "comm/tensor_sum.h"
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

void StepBuffers::share(RankGroup& ranks, double share) {
  if (ranks.trainers() == 1) return;
  const torch::NoGradGuard no_gradient;
  const NamedTensors buffers = state_.buffers();
  NamedTensors counters;
  std::vector<at::Tensor> moved;  // one after the other, so that they travel in one copy
  std::vector<std::size_t> averaged;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const at::Tensor& live = buffers[i].second;
    if (!live.is_floating_point()) {
      counters.push_back(buffers[i]);
      continue;
    }
    // Infinity that stays has not moved.
    const at::Tensor by = at::where(live == kept_[i], at::zeros_like(live), live - kept_[i]);
    moved.push_back(by.to(at::kFloat).flatten());
    averaged.push_back(i);
  }
  if (!moved.empty()) {
    const at::Tensor mine = at::cat(moved).mul_(share), host = mine.to(at::kCPU);
    ranks.wait(*comm::sum_tensor(ranks.trainer_ranks(), host), "the buffers");
    const at::Tensor sum = host.to(mine.device());
    std::int64_t begin = 0;
    for (const std::size_t i : averaged) {
      at::Tensor live = buffers[i].second;
      const at::Tensor by = sum.narrow(0, begin, live.numel()).view(live.sizes());
      live.copy_(kept_[i] + by.to(live.options()));
      begin += live.numel();
    }
  }
  if (counters.empty()) return;
  TensorPack pack(counters);
  if (ranks.writes()) pack.take(counters);
  ranks.broadcast(ranks.trainer_ranks(), pack.bytes(), 0, "the counters among the buffers");
  pack.put(counters);
}

}  // namespace lacuna::worker

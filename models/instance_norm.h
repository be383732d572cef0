// Instance normalisation with scale and shift, followed by a leaky ReLU: a layer of a network.
//
// Statistics of each sample and channel, epsilon 1e-5, no running averages; train and eval are the
// same. On one voxel per channel the result is the activation of the shift (`bias`), as the
// published networks rely on. Not thread-safe.
#pragma once

#include <cstdint>

#include <torch/nn/module.h>

namespace lacuna::models {

inline constexpr double kLeakySlope = 0.01;
inline constexpr double kNoActivation = 1.0;  // a slope of one leaves values as they are

class InstanceNorm : public torch::nn::Module {
 public:
  explicit InstanceNorm(std::int64_t channels);

  // x: N x C x D x H x W.
  at::Tensor forward(const at::Tensor& x, double slope = kLeakySlope) const;
  // `residual`, of x's shape, is added before the activation.
  at::Tensor forward_add(const at::Tensor& x, const at::Tensor& residual,
                         double slope = kLeakySlope) const;

  at::Tensor weight, bias;
};

}  // namespace lacuna::models

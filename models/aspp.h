// Atrous spatial pyramid pooling over the reduced bottleneck: four parallel convolutions (1x1x1,
// and 3x3x3 with dilation 2, 4, 8), a global-mean branch, and a 1x1x1 convolution of the five
// together.
//
// The fifth branch normalises one value per channel, so it yields the constant activation of its
// shift and its convolution never receives a gradient; the norm of conv_cat then removes the
// constant. It stays because its columns take part in conv_cat's weight standardisation.
// Input and output: N x channels x D x H x W. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "models/conv_norm.h"

namespace lacuna::models {

class Aspp : public torch::nn::Module {
 public:
  explicit Aspp(std::int64_t channels);

  // global_mean: N x channels x 1 x 1 x 1, the mean of x over voxels.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& global_mean) const;

 private:
  std::array<std::shared_ptr<ConvNorm>, 4> branches_;
  std::shared_ptr<WeightStandardisedConv> branch5_conv_;
  std::shared_ptr<InstanceNorm> branch5_norm_;
  std::shared_ptr<ConvNorm> conv_cat_;
};

}  // namespace lacuna::models

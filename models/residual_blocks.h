// The two residual blocks of the ShaSpec and MCKD networks: convolution, instance norm, activation
// in that order, the sum activated last. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/conv_norm.h"

namespace lacuna::models {

// 1x1x1 to `planes`, 3x3x3 with `stride`, 1x1x1 to 4 * planes. The skip is the input, or with
// `project` a strided 1x1x1 convolution and norm. Children: conv1, norm1, ..., downsample.{0,1}.
class Bottleneck : public torch::nn::Module {
 public:
  Bottleneck(std::int64_t in, std::int64_t planes, std::int64_t stride, bool project);

  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<WeightStandardisedConv> conv1_, conv2_, conv3_;
  std::shared_ptr<InstanceNorm> norm1_, norm2_, norm3_;
  std::shared_ptr<ConvNorm> downsample_;  // null: identity
};

// Two 3x3x3 convolutions of `channels`, identity skip.
class BasicBlock : public torch::nn::Module {
 public:
  explicit BasicBlock(std::int64_t channels);

  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<WeightStandardisedConv> conv1_, conv2_;
  std::shared_ptr<InstanceNorm> norm1_, norm2_;
};

}  // namespace lacuna::models

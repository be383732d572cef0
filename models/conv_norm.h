// Weight-standardised convolution, instance norm, leaky ReLU, with the child names "0" and "1" that
// the published code's sequences give them. Not thread-safe.
#pragma once

#include <memory>

#include "models/instance_norm.h"
#include "models/weight_standardised_conv.h"

namespace lacuna::models {

class ConvNorm : public torch::nn::Module {
 public:
  explicit ConvNorm(const ConvShape& shape);

  at::Tensor forward(const at::Tensor& x, double slope = kLeakySlope) const;

  std::shared_ptr<WeightStandardisedConv> conv;
  std::shared_ptr<InstanceNorm> norm;
};

}  // namespace lacuna::models

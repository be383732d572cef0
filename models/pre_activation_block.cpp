#include "models/pre_activation_block.h"

#include <ATen/ATen.h>
#include <torch/types.h>

namespace lacuna::models {

PreActivationBlock::Norm::Norm(std::int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor PreActivationBlock::Norm::activate(const at::Tensor& x) const {
  // In place: the norm's backward pass needs its input only.
  return at::group_norm(x, kNormGroups, weight, bias, /*eps=*/1e-5).relu_();
}

PreActivationBlock::PreActivationBlock(std::int64_t channels) {
  const ConvShape shape{.in = channels, .out = channels, .kernel = 3, .padding = 1};
  norm1_ = register_module("gn1", std::make_shared<Norm>(channels));
  conv1_ = register_module("conv1", std::make_shared<BiasedConv>(shape));
  norm2_ = register_module("gn2", std::make_shared<Norm>(channels));
  conv2_ = register_module("conv2", std::make_shared<BiasedConv>(shape));
}

at::Tensor PreActivationBlock::forward(const at::Tensor& x) const {
  const at::Tensor y = conv1_->forward(norm1_->activate(x));
  return conv2_->forward(norm2_->activate(y)).add_(x);
}

}  // namespace lacuna::models

#include "models/residual_blocks.h"

namespace lacuna::models {

Bottleneck::Bottleneck(std::int64_t in, std::int64_t planes, std::int64_t stride, bool project) {
  const std::int64_t out = 4 * planes;
  const std::vector<std::int64_t> strides(3, stride);
  conv1_ = register_module(
      "conv1", std::make_shared<WeightStandardisedConv>(ConvShape{.in = in, .out = planes}));
  norm1_ = register_module("norm1", std::make_shared<InstanceNorm>(planes));
  conv2_ = register_module(
      "conv2", std::make_shared<WeightStandardisedConv>(ConvShape{
                   .in = planes, .out = planes, .kernel = 3, .stride = strides, .padding = 1}));
  norm2_ = register_module("norm2", std::make_shared<InstanceNorm>(planes));
  conv3_ = register_module(
      "conv3", std::make_shared<WeightStandardisedConv>(ConvShape{.in = planes, .out = out}));
  norm3_ = register_module("norm3", std::make_shared<InstanceNorm>(out));
  if (project) {
    downsample_ = register_module("downsample", std::make_shared<ConvNorm>(ConvShape{
                                                    .in = in, .out = out, .stride = strides}));
  }
}

at::Tensor Bottleneck::forward(const at::Tensor& x) const {
  const at::Tensor skip = downsample_ ? downsample_->forward(x, kNoActivation) : x;
  at::Tensor y = norm1_->forward(conv1_->forward(x));
  y = norm2_->forward(conv2_->forward(y));
  return norm3_->forward_add(conv3_->forward(y), skip);
}

BasicBlock::BasicBlock(std::int64_t channels) {
  const ConvShape shape{.in = channels, .out = channels, .kernel = 3, .padding = 1};
  conv1_ = register_module("conv1", std::make_shared<WeightStandardisedConv>(shape));
  norm1_ = register_module("norm1", std::make_shared<InstanceNorm>(channels));
  conv2_ = register_module("conv2", std::make_shared<WeightStandardisedConv>(shape));
  norm2_ = register_module("norm2", std::make_shared<InstanceNorm>(channels));
}

at::Tensor BasicBlock::forward(const at::Tensor& x) const {
  const at::Tensor y = norm1_->forward(conv1_->forward(x));
  return norm2_->forward_add(conv2_->forward(y), x);
}

}  // namespace lacuna::models

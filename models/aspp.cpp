#include "models/aspp.h"

#include <string>

#include <ATen/ATen.h>

namespace lacuna::models {

Aspp::Aspp(std::int64_t channels) {
  constexpr std::array<std::int64_t, 4> kDilation{1, 2, 4, 8};
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    ConvShape shape{.in = channels, .out = channels};
    if (i > 0) {
      shape.kernel = 3;
      shape.padding = shape.dilation = kDilation[i];
    }
    branches_[i] =
        register_module("branch" + std::to_string(i + 1), std::make_shared<ConvNorm>(shape));
  }
  branch5_conv_ = register_module("branch5_conv", std::make_shared<WeightStandardisedConv>(
                                                      ConvShape{.in = channels, .out = channels}));
  branch5_norm_ = register_module("branch5_norm", std::make_shared<InstanceNorm>(channels));
  conv_cat_ = register_module(
      "conv_cat", std::make_shared<ConvNorm>(ConvShape{.in = 5 * channels, .out = channels}));
}

at::Tensor Aspp::forward(const at::Tensor& x, const at::Tensor& global_mean) const {
  std::vector<at::Tensor> parts;
  parts.reserve(branches_.size() + 1);
  for (const auto& branch : branches_) parts.push_back(branch->forward(x));
  // Resizing one voxel with aligned corners repeats it.
  parts.push_back(branch5_norm_->forward(branch5_conv_->forward(global_mean)).expand_as(x));
  return conv_cat_->forward(at::cat(parts, 1));
}

}  // namespace lacuna::models

#include "models/conv_unit.h"

#include <array>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/instance_norm.h"

namespace lacuna::models {

ConvUnit::ConvUnit(std::int64_t in, std::int64_t out, std::int64_t kernel, const UnitStyle& style,
                   std::int64_t stride)
    : style_(style) {
  const ConvShape shape{.in = in,
                        .out = out,
                        .kernel = kernel,
                        .stride = {stride, stride, stride},
                        .padding = (kernel - 1) / 2};
  conv = register_module("conv", std::make_shared<BiasedConv>(shape, style.border));
  if (style.norm == UnitNorm::kAffine) {
    const auto norm = register_module("normalize", std::make_shared<torch::nn::Module>());
    const std::int64_t channels = style.norm_first ? in : out;
    scale_ = norm->register_parameter("weight", torch::ones({channels}));
    shift_ = norm->register_parameter("bias", torch::zeros({channels}));
  }
}

at::Tensor ConvUnit::normalise(const at::Tensor& x) const {
  if (style_.norm != UnitNorm::kNone) {
    return kernels::instance_norm_act(x, scale_, shift_, style_.epsilon, style_.slope);
  }
  if (style_.slope == 1) return x;
  return style_.slope == 0 ? at::relu(x) : at::leaky_relu(x, style_.slope);
}

at::Tensor ConvUnit::forward(const at::Tensor& x) const {
  return style_.norm_first ? conv->forward(normalise(x)) : normalise(conv->forward(x));
}

std::shared_ptr<BiasedConv> plain_conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                       Border border) {
  return std::make_shared<BiasedConv>(
      ConvShape{.in = in, .out = out, .kernel = kernel, .padding = kernel / 2}, border);
}

at::Tensor enlarge(const at::Tensor& x, std::int64_t factor) {
  if (factor == 1) return x;
  const std::array<std::int64_t, 3> size{x.size(2) * factor, x.size(3) * factor,
                                         x.size(4) * factor};
  return at::upsample_trilinear3d(x, size, /*align_corners=*/true);
}

at::Tensor enlarge_nearest(const at::Tensor& x) {
  const std::array<std::int64_t, 3> size{x.size(2) * 2, x.size(3) * 2, x.size(4) * 2};
  return at::upsample_nearest3d(x, size);
}

}  // namespace lacuna::models

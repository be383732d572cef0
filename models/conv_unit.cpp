#include "models/conv_unit.h"

#include <array>

#include <ATen/ops/upsample_trilinear3d.h>

#include "kernels/instance_norm.h"

namespace lacuna::models {

ConvUnit::ConvUnit(std::int64_t in, std::int64_t out, std::int64_t kernel, const UnitStyle& style,
                   std::int64_t stride)
    : style_(style) {
  const ConvShape shape{.in = in,
                        .out = out,
                        .kernel = kernel,
                        .stride = {stride, stride, stride},
                        .padding = kernel / 2};
  conv = register_module("conv", std::make_shared<BiasedConv>(shape, style.border));
}

at::Tensor ConvUnit::normalise(const at::Tensor& x) const {
  return kernels::instance_norm_act(x, {}, {}, style_.epsilon, style_.slope);
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

}  // namespace lacuna::models

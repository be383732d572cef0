#include "models/residual_encoder.h"

#include <ATen/ATen.h>

#include "models/width.h"

namespace lacuna::models {

std::int64_t bottleneck_channels(double width) { return scaled(256, width); }

ResidualEncoder::ResidualEncoder(std::int64_t in, double width) {
  const std::int64_t channels = bottleneck_channels(width);
  reduce_ = register_module("asppreduce", std::make_shared<ConvNorm>(ConvShape{
                                              .in = backbone_channels(width)[4], .out = channels}));
  aspp_ = register_module("aspp", std::make_shared<Aspp>(channels));
  backbone_ = register_module("backbone", std::make_shared<ResnetBackbone>(in, width));
}

EncoderOutput ResidualEncoder::forward(const at::Tensor& x) const {
  EncoderOutput out = reduce(x);
  out.bottleneck = pool(out.reduced, out.global_mean);
  return out;
}

EncoderOutput ResidualEncoder::reduce(const at::Tensor& x) const {
  auto levels = backbone_->forward(x);
  EncoderOutput out;
  for (std::size_t i = 0; i < out.skips.size(); ++i) out.skips[i] = std::move(levels[i]);
  out.deepest = std::move(levels[4]);
  out.reduced = reduce_->forward(out.deepest);
  out.global_mean = out.reduced.mean({2, 3, 4}, /*keepdim=*/true);
  return out;
}

at::Tensor ResidualEncoder::pool(const at::Tensor& reduced, const at::Tensor& global_mean) const {
  return aspp_->forward(reduced, global_mean);
}

}  // namespace lacuna::models

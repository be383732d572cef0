#include "methods/pmkl/network.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::methods::pmkl {
namespace {

constexpr std::int64_t kHidden = 32;

// Means over windows of `window` voxels, every one: axis by axis, 120 terms for 64,000 at the
// published 40^3.
at::Tensor pooled(const at::Tensor& x, const data::Extent& window) {
  at::Tensor y = at::avg_pool3d(x, {window[0], 1, 1}, 1);
  y = at::avg_pool3d(y, {1, window[1], 1}, 1);
  return at::avg_pool3d(y, {1, 1, window[2]}, 1);
}

}  // namespace

Student::Student(std::int64_t in, int classes, double width) {
  const auto channels = models::gated_channels(width);
  encoder_ = register_module(
      "ce", std::make_shared<models::ModalityEncoder>(channels, models::gated_style(), in));
  decoder_ = register_module("mask_de", std::make_shared<models::MaskDecoder>(channels, classes));
}

models::MaskDecoder::Output Student::forward(const at::Tensor& image) const {
  return decoder_->forward(encoder_->forward(image));
}

EmbeddingHead::EmbeddingHead(std::int64_t channels, const data::Extent& extent, bool global)
    : window_{extent[0] / 2, extent[1] / 2, extent[2] / 2}, global_(global) {
  std::int64_t in = channels;
  for (std::size_t axis = 0; axis < 3 && !global; ++axis) in *= extent[axis] - window_[axis] + 1;
  first_ = register_module("linear_0", std::make_shared<models::Linear>(in, kHidden, false));
  second_ =
      register_module("linear_1", std::make_shared<models::Linear>(kHidden, kEmbedding, false));
}

at::Tensor EmbeddingHead::forward(const at::Tensor& features) const {
  const losses::PreciseProducts products(features);
  const at::Tensor x = losses::precise(features);
  const at::Tensor means = global_ ? x.mean({2, 3, 4}) : pooled(x, window_).flatten(1);
  const at::Tensor raw = second_->forward(at::relu(first_->forward(means)));
  // Published without a bound; a vector of zeros stays one.
  return raw / raw.square().sum(1, /*keepdim=*/true).clamp_min(1e-24).sqrt();
}

}  // namespace lacuna::methods::pmkl

#include "models/residual_decoder.h"

#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/residual_encoder.h"
#include "models/width.h"

namespace lacuna::models {
namespace {

// Channels after stage 0..3 at width 1.
constexpr std::array<std::int64_t, 4> kChannels{32, 64, 128, 256};

}  // namespace

ResidualDecoder::ResidualDecoder(std::int64_t modalities, std::int64_t outputs, double width)
    : modalities_(modalities) {
  const auto skips = backbone_channels(width);
  const auto name = [](const char* stem, int level, const char* rest) {
    return stem + std::to_string(level) + rest;
  };
  for (int i = 3; i >= 0; --i) {
    shortcuts_[i] =
        register_module(name("shortcut_conv", i, ""),
                        std::make_shared<ConvNorm>(ConvShape{.in = modalities * skips[i],
                                                             .out = scaled(kChannels[i], width)}));
  }
  for (int i = 3; i >= 0; --i) {
    const std::int64_t in =
        i == 3 ? modalities * bottleneck_channels(width) : scaled(kChannels[i + 1], width);
    const auto up =
        register_module(name("transposeconv_stage", i, ""), std::make_shared<torch::nn::Module>());
    up_[i] =
        up->register_parameter("weight", torch::zeros({in, scaled(kChannels[i], width), 2, 2, 2}));
  }
  for (int i = 3; i >= 0; --i) {
    blocks_[i] = register_module(name("stage", i, "_de"),
                                 std::make_shared<BasicBlock>(scaled(kChannels[i], width)));
  }
  const auto sequence = register_module("cls_conv", std::make_shared<torch::nn::Module>());
  const auto conv = sequence->register_module("0", std::make_shared<torch::nn::Module>());
  classifier_ = conv->register_parameter(
      "weight", torch::zeros({outputs, scaled(kChannels[0], width), 1, 1, 1}));
}

at::Tensor ResidualDecoder::forward(const at::Tensor& bottleneck,
                                    const std::array<at::Tensor, 4>& skips) const {
  at::Tensor x = bottleneck;
  for (int i = 3; i >= 0; --i) x = stage(i, x, shortcut(i, skips[i]));
  return classify(x);
}

at::Tensor ResidualDecoder::stage(int level, const at::Tensor& x,
                                  const at::Tensor& shortcut) const {
  at::Tensor y = at::conv_transpose3d(x, up_[level], {}, /*stride=*/2);
  return blocks_[level]->forward(y.add_(shortcut));
}

at::Tensor ResidualDecoder::shortcut(int level, const at::Tensor& skip) const {
  return shortcuts_[level]->forward(skip);
}

at::Tensor ResidualDecoder::classify(const at::Tensor& x) const {
  const at::Tensor y = at::conv3d(x, classifier_);
  return at::upsample_trilinear3d(y, {y.size(2), 2 * y.size(3), 2 * y.size(4)},
                                  /*align_corners=*/false);
}

std::vector<at::Tensor> ResidualDecoder::shortcut_weights(int level) const {
  // Standardised whole, then split: the statistics run over all modalities.
  return shortcuts_[level]->conv->standard_weight().chunk(modalities_, 1);
}

at::Tensor ResidualDecoder::shortcut_part(int level, const at::Tensor& skip,
                                          const at::Tensor& weight) const {
  return shortcuts_[level]->conv->apply(skip, weight);
}

at::Tensor ResidualDecoder::shortcut_from_sum(int level, const at::Tensor& sum) const {
  return shortcuts_[level]->norm->forward(sum);
}

}  // namespace lacuna::models

#include "methods/rfnet/network.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "models/initialisation.h"
#include "models/modality_names.h"
#include "models/width.h"

namespace lacuna::methods::rfnet {
namespace {

constexpr int kLevels = 4;
constexpr std::int64_t kBase = 16;     // channels of the first level
constexpr std::int64_t kMap = 16;      // channels in front of a map's classes
constexpr std::int64_t kHidden = 128;  // of the perceptron that weights modalities

// Of four: the embedding has a quarter of the channels, each half of the fusion half of them.
std::vector<std::int64_t> channels_of(const Shape& shape) {
  return models::doubling_channels(kBase, kLevels, shape.width, /*multiple=*/4);
}

}  // namespace

FusedDecoder::FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape)
    : TrunkDecoder(channels, shape.style), fusion_(channels.size()), maps_(channels.size()) {
  const auto modalities = static_cast<std::int64_t>(shape.modalities.size());
  classify_ = register_module("seg_layer", models::plain_conv(channels.front(), shape.classes));
  for (std::size_t level = channels.size(); level > 0; --level) {
    fusion_[level - 1] =
        register_module("RFM" + std::to_string(level),
                        std::make_shared<RegionFusion>(modalities, channels[level - 1],
                                                       models::scaled(kHidden, shape.width),
                                                       shape.classes, shape.style));
  }
  for (std::size_t level = channels.size(); level > 0; --level) {
    maps_[level - 1] = register_module(
        "prm_generator" + std::to_string(level),
        std::make_shared<models::ProbabilityMap>(modalities, channels[level - 1],
                                                 models::scaled(kMap, shape.width), shape.classes,
                                                 /*below=*/level < channels.size(), shape.style));
  }
}

FusedDecoder::Output FusedDecoder::forward(const std::vector<at::Tensor>& features) const {
  Output out;
  out.maps.resize(features.size());
  // Card 2.4: the map of a level sees the decoder's features from below; the fusion sees the map.
  const auto fuse = [&](std::size_t level, const at::Tensor& below) {
    out.maps[level] = maps_[level]->forward(features[level].flatten(1, 2), below);
    return fusion_[level]->forward(features[level], out.maps[level]);
  };
  at::Tensor x = fuse(features.size() - 1, {});
  for (int level = levels(); level > 0; --level) {
    const at::Tensor up = enter(level, x);
    x = leave(level, at::cat({fuse(static_cast<std::size_t>(level) - 1, up), up}, 1));
  }
  out.logits = classify_->forward(x);
  return out;
}

Network::Network(const Shape& shape) {
  const auto channels = channels_of(shape);
  for (const std::string& name : shape.modalities) {
    encoders_.push_back(
        register_module(models::published_modality_name(name) + "_encoder",
                        std::make_shared<models::ModalityEncoder>(channels, shape.style)));
  }
  fused_ = register_module("decoder_fuse", std::make_shared<FusedDecoder>(channels, shape));
  separate_ = register_module("decoder_sep", std::make_shared<models::SeparateDecoder>(
                                                 channels, shape.classes, shape.style));
}

void Network::initialise() { models::initialise_kaiming(*this); }

Levels Network::encode(const at::Tensor& image, int modality) const {
  return encoders_[static_cast<std::size_t>(modality)]->forward(image);
}

// Card 3: missing features are 0 at the entry of every map and fusion.
FusedDecoder::Output Network::decode(const std::vector<Levels>& features,
                                     const at::Tensor& mask) const {
  const auto some = std::find_if(features.begin(), features.end(),
                                 [](const Levels& levels) { return !levels.empty(); });
  std::vector<at::Tensor> masked;
  for (std::size_t level = 0; level < some->size(); ++level) {
    std::vector<at::Tensor> each;
    for (std::size_t m = 0; m < features.size(); ++m) {
      const at::Tensor present = mask.select(1, static_cast<std::int64_t>(m))
                                     .to((*some)[level].scalar_type())
                                     .view({-1, 1, 1, 1, 1});
      each.push_back(features[m].empty() ? at::zeros_like((*some)[level])
                                         : features[m][level] * present);
    }
    masked.push_back(at::stack(each, 1));
  }
  return fused_->forward(masked);
}

}  // namespace lacuna::methods::rfnet

#include "methods/m2ftrans/network.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/conv3d.h"
#include "losses/precise.h"
#include "models/initialisation.h"
#include "models/modality_names.h"
#include "models/token_transformer.h"
#include "models/width.h"

namespace lacuna::methods::m2ftrans {
namespace {

constexpr int kLevels = 5;
constexpr std::int64_t kBase = 16;       // channels of the first level, and in front of the maps
constexpr std::int64_t kReduction = 16;  // of the extent down to the deepest level
constexpr std::size_t kPlainLevels = 3;  // levels 1 to 3 are fused without attention

// Doubling from a whole base, so that the deepest level divides among the heads.
std::vector<std::int64_t> channels_of(const Shape& shape) {
  const std::int64_t base = models::scaled(kBase, shape.width);
  return models::doubling_channels(base, kLevels, /*width=*/1, /*multiple=*/1);
}

std::vector<std::string> published_names(const Shape& shape) {
  std::vector<std::string> names;
  for (const std::string& name : shape.modalities) {
    names.push_back(models::published_modality_name(name));
  }
  return names;
}

}  // namespace

WeightedFusion::WeightedFusion(std::int64_t modalities, std::int64_t channels,
                               const models::UnitStyle& style)
    : channels_(channels) {
  const auto layers = register_module("fusion_layer", std::make_shared<torch::nn::Module>());
  const auto make = [&](const char* name, std::int64_t in, std::int64_t kernel) {
    return layers->register_module(name,
                                   std::make_shared<models::ConvUnit>(in, channels, kernel, style));
  };
  units_ = {make("0", modalities * channels, 1), make("1", channels, 3), make("2", channels, 1)};
}

at::Tensor WeightedFusion::share(std::int64_t modality, const at::Tensor& features) const {
  const at::Tensor weight = units_[0]->conv->weight.narrow(1, modality * channels_, channels_);
  return kernels::conv3d(features, weight);
}

at::Tensor WeightedFusion::from_shares(const at::Tensor& sum) const {
  const at::Tensor first = sum + units_[0]->conv->bias.view({1, -1, 1, 1, 1});
  return units_[2]->forward(units_[1]->forward(units_[0]->normalise(first)));
}

FusedDecoder::FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape)
    : fusion_(kPlainLevels), maps_(channels.size()) {
  const auto modalities = static_cast<std::int64_t>(shape.modalities.size());
  const std::int64_t deepest = channels.back();
  const auto unit = [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return std::make_shared<models::ConvUnit>(in, out, kernel, shape.style);
  };
  const auto names = published_names(shape);
  deepest_c2_ = register_module("d5_c2", unit(2 * deepest, deepest, 3));
  deepest_out_ = register_module("d5_out", unit(deepest, deepest, 1));
  fifth_ = register_module("CT5", std::make_shared<ChannelFusion>(deepest, names, shape.dropout));
  fourth_ =
      register_module("CT4", std::make_shared<ChannelFusion>(channels[3], names, shape.dropout));
  // Its children lie beside the others under their published names.
  trunk_ = std::make_shared<models::TrunkDecoder>(channels, shape.style);
  for (const auto& item : trunk_->named_children()) register_module(item.key(), item.value());
  classify_ = register_module("seg_layer", models::plain_conv(channels.front(), shape.classes));
  for (std::size_t level = kPlainLevels; level > 0; --level) {
    fusion_[level - 1] = register_module(
        "RFM" + std::to_string(level),
        std::make_shared<WeightedFusion>(modalities, channels[level - 1], shape.style));
  }
  const std::int64_t hidden = models::scaled(kBase, shape.width);
  for (std::size_t level = channels.size(); level > 0; --level) {
    const auto own = register_module("prm_fusion" + std::to_string(level),
                                     std::make_shared<torch::nn::Module>());
    const auto head = own->register_module("prm_layer", std::make_shared<torch::nn::Module>());
    Map& map = maps_[level - 1];
    map.unit = head->register_module("0", unit(channels[level - 1], hidden, 1));
    map.classify = head->register_module("1", models::plain_conv(hidden, shape.classes));
  }
}

at::Tensor FusedDecoder::map(std::size_t level, const at::Tensor& x) const {
  const Map& own = maps_[level];
  return losses::precise(own.classify->forward(own.unit->forward(x))).softmax(1);
}

// Card 2.5.
FusedDecoder::Output FusedDecoder::forward(const Encoded& encoded,
                                           const std::vector<at::Tensor>& deep,
                                           const std::vector<at::Tensor>& weights,
                                           const at::Tensor& fusion, const at::Tensor& mask,
                                           bool maps, const models::ForwardMode& mode) const {
  Output out;
  out.maps.resize(maps ? maps_.size() : 0);
  // Card 2.3: weights of a finer level are the deepest ones, each for the voxels above its place.
  const auto weight = [&](std::size_t m, std::size_t level) {
    const std::int64_t factor = std::int64_t{1} << (maps_.size() - 1 - level);
    const auto extent = [&](std::int64_t axis) { return weights[m].size(axis) * factor; };
    return factor == 1 ? weights[m]
                       : at::upsample_nearest3d(weights[m], {extent(2), extent(3), extent(4)});
  };
  const auto weighted = [&](const std::vector<at::Tensor>& features, std::size_t level) {
    std::vector<at::Tensor> made(features.size());
    for (std::size_t m = 0; m < features.size(); ++m) {
      if (weights[m].defined()) made[m] = features[m] * weight(m, level);
    }
    return made;
  };
  const auto note = [&](std::size_t level, const at::Tensor& x) {
    if (maps) out.maps[level] = map(level, x);
  };

  const std::size_t last = maps_.size() - 1;
  note(last, fusion);
  const at::Tensor deepest = fifth_->forward(weighted(deep, last), fusion, mask, mode);
  at::Tensor x = deepest_out_->forward(deepest_c2_->forward(at::cat({deepest, fusion}, 1)));
  for (int level = trunk_->levels(); level > 0; --level) {
    const auto at = static_cast<std::size_t>(level) - 1;
    const at::Tensor up = trunk_->enter(level, x);
    note(at, up);
    at::Tensor fused;
    if (at >= kPlainLevels) {
      fused = fourth_->forward(weighted(encoded.fourth, at), up, mask, mode);
    } else {
      at::Tensor sum;
      for (const at::Tensor& share : weighted(encoded.shares[at], at)) {
        if (share.defined()) sum = sum.defined() ? sum + share : share;
      }
      fused = fusion_[at]->from_shares(sum);
    }
    x = trunk_->leave(level, at::cat({fused, up}, 1));
  }
  out.logits = classify_->forward(x);
  return out;
}

Network::Network(const Shape& shape) {
  const auto channels = channels_of(shape);
  const auto modalities = static_cast<std::int64_t>(shape.modalities.size());
  const TransformerShape transformer{.width = channels.back(), .dropout = shape.dropout};
  for (const std::int64_t extent : shape.extent) {
    grid_.push_back(extent / kReduction);
    places_ *= grid_.back();
  }
  position_ =
      register_parameter("pos", torch::zeros({1, (modalities + 1) * places_, transformer.width}));
  fusion_ = register_parameter("fusion", torch::zeros({1, places_, transformer.width}));
  for (const std::string& name : published_names(shape)) {
    encoders_.push_back(register_module(
        name + "_encoder", std::make_shared<models::ModalityEncoder>(channels, shape.style)));
  }
  const auto bottleneck = register_module("Bottleneck", std::make_shared<torch::nn::Module>());
  transformer_ =
      bottleneck->register_module("trans_bottle", std::make_shared<MaskedTransformer>(transformer));
  fused_ = register_module("decoder_fusion", std::make_shared<FusedDecoder>(channels, shape));
  separate_ = register_module("decoder_sep", std::make_shared<models::SeparateDecoder>(
                                                 channels, shape.classes, shape.style));
}

void Network::initialise() {
  models::initialise_kaiming(*this);
  const torch::NoGradGuard no_grad;
  fusion_.normal_();
}

std::vector<at::Tensor> Network::levels(const at::Tensor& image, int modality) const {
  return encoders_[static_cast<std::size_t>(modality)]->forward(image);
}

Encoded Network::encode(const std::vector<std::vector<at::Tensor>>& levels,
                        const models::ForwardMode& mode) const {
  Encoded encoded;
  encoded.shares.resize(kPlainLevels);
  std::vector<at::Tensor> tokens;
  for (std::size_t m = 0; m < levels.size(); ++m) {
    const auto modality = static_cast<std::int64_t>(m);
    for (std::size_t level = 0; level < kPlainLevels; ++level) {
      encoded.shares[level].push_back(fused_->share(level, modality, levels[m][level]));
    }
    encoded.fourth.push_back(levels[m][kPlainLevels]);
    tokens.push_back(models::tokens_of(levels[m].back()) +
                     position_.narrow(1, modality * places_, places_));
  }
  encoded.deepest = transformer_->modalities(at::stack(tokens, 1), mode);
  return encoded;
}

MaskedTransformer::Fusion Network::fuse(const std::vector<MaskedTransformer::Seen>& seen,
                                        std::int64_t samples, const at::Tensor& mask,
                                        const models::ForwardMode& mode) const {
  const at::Tensor own = fusion_ + position_.narrow(1, position_.size(1) - places_, places_);
  return transformer_->fuse(own.expand({samples, -1, -1}), seen, mask, mode);
}

at::Tensor Network::place_weights(const at::Tensor& attention) {
  const std::int64_t places = attention.size(2);
  return attention.sum({1, 2})
      .narrow(1, places, attention.size(3) - places)
      .unflatten(1, {-1, places});
}

at::Tensor Network::attention(const Encoded& encoded, const at::Tensor& mask) const {
  return fuse(encoded.deepest.seen, encoded.deepest.tokens.size(0), mask, {}).attention;
}

FusedDecoder::Output Network::decode(const Encoded& encoded, const std::vector<bool>& present,
                                     const at::Tensor& mask, bool maps,
                                     const models::ForwardMode& mode) const {
  std::vector<std::int64_t> positions;
  for (std::size_t m = 0; m < present.size(); ++m) {
    if (present[m]) positions.push_back(static_cast<std::int64_t>(m));
  }
  const at::Tensor& tokens = encoded.deepest.tokens;
  const at::Tensor rows = at::tensor(positions, at::kLong).to(tokens.device());
  std::vector<MaskedTransformer::Seen> seen = encoded.deepest.seen;
  if (positions.size() < present.size()) {
    for (auto& each : seen) {
      each = {each.key.index_select(1, rows), each.value.index_select(1, rows)};
    }
  }
  const auto fusion = fuse(seen, tokens.size(0), mask, mode);
  const at::Tensor places = place_weights(losses::precise(fusion.attention));
  std::vector<at::Tensor> deep(present.size()), weights(present.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto m = static_cast<std::size_t>(positions[i]);
    deep[m] = models::map_of(tokens.select(1, positions[i]), grid_);
    weights[m] = places.select(1, static_cast<std::int64_t>(i)).unsqueeze(1).unflatten(2, grid_);
  }
  return fused_->forward(encoded, deep, weights, models::map_of(fusion.tokens, grid_), mask, maps,
                         mode);
}

}  // namespace lacuna::methods::m2ftrans

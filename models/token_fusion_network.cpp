#include "models/token_fusion_network.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/initialisation.h"
#include "models/modality_names.h"

namespace lacuna::models {
namespace {

constexpr int kLevels = 5;
constexpr std::int64_t kBase = 8;        // channels of the first level
constexpr std::int64_t kReduction = 16;  // of the extent down to the deepest level

}  // namespace

TokenTransformerShape token_transformer_shape(double width, double dropout) {
  TokenTransformerShape made;
  const double head = static_cast<double>(made.width) / static_cast<double>(made.heads);
  made.width = made.heads * std::max<std::int64_t>(1, std::llround(head * width));
  made.hidden = 8 * made.width;
  made.dropout = dropout;
  return made;
}

bool is_unused_by_token_fusion(const std::string& parameter) {
  return parameter.find("_decode_conv.") != std::string::npos &&
         parameter.find("multimodal_") == std::string::npos;
}

TokenFusionNetwork::TokenFusionNetwork(const TokenFusionShape& shape)
    : shape_(shape), branches_(shape.modalities.size()) {
  const auto channels = doubling_channels(kBase, kLevels, shape.width, /*multiple=*/2);
  const TokenTransformerShape transformer = token_transformer_shape(shape.width, shape.dropout);
  const auto modalities = static_cast<std::int64_t>(branches_.size());
  std::int64_t tokens = 1;
  for (const std::int64_t extent : shape.extent) {
    grid_.push_back(extent / kReduction);
    tokens *= grid_.back();
  }
  const auto name = [&](std::size_t m, const char* part) {
    return published_modality_name(shape.modalities[m]) + part;
  };
  const auto each = [&](const auto& make) {
    for (std::size_t m = 0; m < branches_.size(); ++m) make(m, branches_[m]);
  };
  each([&](std::size_t m, Branch& branch) {
    branch.position =
        register_parameter(name(m, "_pos"), torch::zeros({1, tokens, transformer.width}));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.encoder = register_module(name(m, "_encoder"),
                                     std::make_shared<ModalityEncoder>(channels, shape.style));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.to_tokens =
        register_module(name(m, "_encode_conv"), plain_conv(channels.back(), transformer.width));
  });
  // Stored by the published code and never applied: no gradient reaches them.
  each([&](std::size_t m, Branch&) {
    register_module(name(m, "_decode_conv"), plain_conv(transformer.width, channels.back()));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.transformer =
        register_module(name(m, "_transformer"), std::make_shared<TokenTransformer>(transformer));
  });
  transformer_ =
      register_module("multimodal_transformer", std::make_shared<TokenTransformer>(transformer));
  from_tokens_ =
      register_module("multimodal_decode_conv",
                      plain_conv(modalities * transformer.width, modalities * channels.back()));
  fused_ = register_module("decoder_fuse", std::make_shared<FusedDecoder>(
                                               channels, modalities, shape.classes, shape.style));
  separate_ = register_module(
      "decoder_sep", std::make_shared<SeparateDecoder>(channels, shape.classes, shape.style));
}

void TokenFusionNetwork::initialise() { initialise_kaiming(*this); }

TokenFusionNetwork::Encoded TokenFusionNetwork::encode(const at::Tensor& image,
                                                       std::size_t modality,
                                                       const ForwardMode& mode) const {
  const Branch& branch = branches_[modality];
  Encoded encoded{branch.encoder->forward(image), {}};
  const at::Tensor tokens = tokens_of(branch.to_tokens->forward(encoded.levels.back()));
  encoded.tokens = branch.transformer->forward(tokens, branch.position, mode);
  return encoded;
}

Contribution TokenFusionNetwork::contribution(const Encoded& encoded, std::size_t modality) const {
  Contribution made{{}, encoded.tokens, false};
  for (std::size_t level = 0; level + 1 < encoded.levels.size(); ++level) {
    made.shares.push_back(
        fused_->share(level, static_cast<std::int64_t>(modality), encoded.levels[level]));
  }
  return made;
}

at::Tensor TokenFusionNetwork::layout(const at::Tensor& tokens) const {
  return map_of_modalities(tokens, static_cast<std::int64_t>(branches_.size()), grid_,
                           shape_.aligned_tokens);
}

// What is missing is 0 at the fusions and among the tokens, which then still hold their positions.
TokenFusionNetwork::Output TokenFusionNetwork::decode(const std::vector<Contribution>& given,
                                                      const at::Tensor& mask, bool deep,
                                                      const ForwardMode& mode) const {
  std::vector<at::Tensor> positions;
  for (const Branch& branch : branches_) positions.push_back(branch.position);
  const GatheredModalities all = gather(given, mask);
  const at::Tensor mixed =
      transformer_->forward(at::cat(all.tokens, 1), at::cat(positions, 1), mode);
  const at::Tensor bottleneck = from_tokens_->forward(layout(mixed));
  return {fused_->forward(bottleneck, all.sums, deep), bottleneck};
}

TokenFusionNetwork::Trained TokenFusionNetwork::train(const at::Tensor& image,
                                                      const at::Tensor& mask,
                                                      const std::vector<ForwardMode>& modes,
                                                      bool separate,
                                                      const FinestMap& finest) const {
  std::vector<Encoded> encoded;
  std::vector<Contribution> contributions;
  for (std::size_t m = 0; m < branches_.size(); ++m) {
    const at::Tensor one = image.narrow(1, static_cast<std::int64_t>(m), 1);
    encoded.push_back(encode(one, m, modes[m]));
  }
  map(encoded, finest);
  for (std::size_t m = 0; m < branches_.size(); ++m) {
    contributions.push_back(contribution(encoded[m], m));
    contributions.back().keeps_finest = static_cast<bool>(finest);
  }
  Trained out{decode(contributions, mask, /*deep=*/separate, modes.back()), {}};
  for (const Encoded& one : encoded) {
    if (separate) out.separate.push_back(separate_->forward(one.levels));
  }
  return out;
}

std::vector<Contribution> TokenFusionNetwork::contributions(const at::Tensor& image,
                                                            const std::vector<bool>& present,
                                                            const FinestMap& finest) const {
  std::vector<Contribution> given(branches_.size());
  std::vector<Encoded> encoded(branches_.size());
  for (std::size_t m = 0; m < given.size(); ++m) {
    if (!present[m]) continue;
    encoded[m] = encode(image.narrow(1, static_cast<std::int64_t>(m), 1), m, {});
    if (finest) continue;
    given[m] = contribution(encoded[m], m);
    encoded[m] = {};  // its deeper features are not kept beside those of the others
  }
  if (!finest) return given;
  map(encoded, finest);
  for (std::size_t m = 0; m < given.size(); ++m) {
    if (present[m]) {
      given[m] = contribution(encoded[m], m);
    } else if (!encoded[m].levels.empty()) {
      const at::Tensor& stands = encoded[m].levels.front();
      given[m].shares = {fused_->share(0, static_cast<std::int64_t>(m), stands)};
    }
  }
  return given;
}

void TokenFusionNetwork::map(std::vector<Encoded>& encoded, const FinestMap& finest) const {
  if (!finest) return;
  std::vector<at::Tensor> features;
  for (const Encoded& each : encoded) {
    features.push_back(each.levels.empty() ? at::Tensor() : each.levels.front());
  }
  finest(features);
  for (std::size_t m = 0; m < encoded.size(); ++m) {
    if (!features[m].defined()) continue;
    if (encoded[m].levels.empty()) encoded[m].levels.emplace_back();
    encoded[m].levels.front() = features[m];
  }
}

std::vector<at::Tensor> TokenFusionNetwork::encode_all(const at::Tensor& image) const {
  return listed(contributions(image, std::vector<bool>(branches_.size(), true), nullptr));
}

at::Tensor TokenFusionNetwork::decode_present(const std::vector<at::Tensor>& encoded,
                                              const std::vector<bool>& present) const {
  return decode(unlisted(encoded, present), {}, /*deep=*/false, {}).logits;
}

at::Tensor TokenFusionNetwork::segment(const at::Tensor& image, const std::vector<bool>& present,
                                       const FinestMap& finest) const {
  return decode(contributions(image, present, finest), {}, /*deep=*/false, {}).logits;
}

}  // namespace lacuna::models

#include "methods/mmformer/network.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/initialisation.h"
#include "models/modality_names.h"

namespace lacuna::methods::mmformer {
namespace {

constexpr int kLevels = 5;
constexpr std::int64_t kBase = 8;        // channels of the first level
constexpr std::int64_t kReduction = 16;  // of the extent down to the deepest level

// Heads of equal width at any width of the network.
models::TokenTransformerShape transformer_shape(const Shape& shape) {
  models::TokenTransformerShape made;
  const double head = static_cast<double>(made.width) / static_cast<double>(made.heads);
  made.width = made.heads * std::max<std::int64_t>(1, std::llround(head * shape.width));
  made.hidden = 8 * made.width;
  made.dropout = shape.dropout;
  return made;
}

at::Tensor entry_of(const at::Tensor& mask, std::size_t modality, const at::Tensor& like) {
  std::vector<std::int64_t> view(static_cast<std::size_t>(like.dim()), 1);
  view[0] = -1;
  return mask.select(1, static_cast<std::int64_t>(modality)).to(like.scalar_type()).view(view);
}

}  // namespace

FusedDecoder::FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape)
    : TrunkDecoder(channels, shape.style), deep_(channels.size() - 1), fusion_(channels.size()) {
  for (std::size_t level = deep_.size(); level > 0; --level) {
    deep_[level - 1] = register_module("seg_d" + std::to_string(level),
                                       models::plain_conv(channels[level], shape.classes));
  }
  classify_ = register_module("seg_layer", models::plain_conv(channels.front(), shape.classes));
  const auto modalities = static_cast<std::int64_t>(shape.modalities.size());
  for (std::size_t level = channels.size(); level > 0; --level) {
    fusion_[level - 1] = register_module(
        "RFM" + std::to_string(level),
        std::make_shared<models::ModalityFusion>(modalities, channels[level - 1], shape.style));
  }
}

// Card 2.4.
FusedDecoder::Output FusedDecoder::forward(const at::Tensor& mixed,
                                           const std::vector<at::Tensor>& sums, bool deep) const {
  Output out;
  at::Tensor x = fusion_.back()->forward(mixed);
  for (int level = levels(); level > 0; --level) {
    const auto at = static_cast<std::size_t>(level) - 1;
    if (deep) out.deep.insert(out.deep.begin(), deep_[at]->forward(x));
    const at::Tensor up = enter(level, x);
    x = leave(level, at::cat({fusion_[at]->from_shares(sums[at]), up}, 1));
  }
  out.logits = classify_->forward(x);
  return out;
}

Network::Network(const Shape& shape) : shape_(shape), branches_(shape.modalities.size()) {
  const auto channels = models::doubling_channels(kBase, kLevels, shape.width, /*multiple=*/2);
  const models::TokenTransformerShape transformer = transformer_shape(shape);
  const auto modalities = static_cast<std::int64_t>(branches_.size());
  std::int64_t tokens = 1;
  for (const std::int64_t extent : shape.extent) {
    grid_.push_back(extent / kReduction);
    tokens *= grid_.back();
  }
  const auto name = [&](std::size_t m, const char* part) {
    return models::published_modality_name(shape.modalities[m]) + part;
  };
  const auto each = [&](const auto& make) {
    for (std::size_t m = 0; m < branches_.size(); ++m) make(m, branches_[m]);
  };
  each([&](std::size_t m, Branch& branch) {
    branch.position =
        register_parameter(name(m, "_pos"), torch::zeros({1, tokens, transformer.width}));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.encoder = register_module(
        name(m, "_encoder"), std::make_shared<models::ModalityEncoder>(channels, shape.style));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.to_tokens = register_module(name(m, "_encode_conv"),
                                       models::plain_conv(channels.back(), transformer.width));
  });
  // Stored by the published code and never applied: no gradient reaches them.
  each([&](std::size_t m, Branch&) {
    register_module(name(m, "_decode_conv"),
                    models::plain_conv(transformer.width, channels.back()));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.transformer = register_module(name(m, "_transformer"),
                                         std::make_shared<models::TokenTransformer>(transformer));
  });
  transformer_ = register_module("multimodal_transformer",
                                 std::make_shared<models::TokenTransformer>(transformer));
  from_tokens_ = register_module(
      "multimodal_decode_conv",
      models::plain_conv(modalities * transformer.width, modalities * channels.back()));
  fused_ = register_module("decoder_fuse", std::make_shared<FusedDecoder>(channels, shape));
  separate_ = register_module("decoder_sep", std::make_shared<models::SeparateDecoder>(
                                                 channels, shape.classes, shape.style));
}

void Network::initialise() { models::initialise_kaiming(*this); }

Encoded Network::encode(const at::Tensor& image, std::size_t modality,
                        const models::ForwardMode& mode) const {
  const Branch& branch = branches_[modality];
  Encoded encoded{branch.encoder->forward(image), {}};
  const at::Tensor tokens = models::tokens_of(branch.to_tokens->forward(encoded.levels.back()));
  encoded.tokens = branch.transformer->forward(tokens, branch.position, mode);
  return encoded;
}

Contribution Network::contribution(const Encoded& encoded, std::size_t modality) const {
  Contribution made{{}, encoded.tokens};
  for (std::size_t level = 0; level + 1 < encoded.levels.size(); ++level) {
    made.shares.push_back(
        fused_->share(level, static_cast<std::int64_t>(modality), encoded.levels[level]));
  }
  return made;
}

at::Tensor Network::layout(const at::Tensor& tokens) const {
  const auto modalities = static_cast<std::int64_t>(branches_.size());
  at::Tensor rows = tokens;
  if (shape_.aligned_tokens) {  // N x M x tokens x width -> N x tokens x M x width
    rows = rows.unflatten(1, {modalities, -1}).transpose(1, 2).flatten(1, 2);
  }
  const std::int64_t width = tokens.size(2);
  return models::map_of(rows.contiguous().view({tokens.size(0), -1, modalities * width}), grid_);
}

// Card 2.3: what is missing is 0 at the fusions and among the tokens, which then still hold their
// positions.
FusedDecoder::Output Network::decode(const std::vector<Contribution>& given, const at::Tensor& mask,
                                     bool deep, const models::ForwardMode& mode) const {
  const auto some = std::find_if(given.begin(), given.end(),
                                 [](const Contribution& each) { return each.tokens.defined(); });
  std::vector<at::Tensor> tokens, positions, sums(some->shares.size());
  for (std::size_t m = 0; m < given.size(); ++m) {
    positions.push_back(branches_[m].position);
    if (!given[m].tokens.defined()) {
      tokens.push_back(at::zeros_like(some->tokens));
      continue;
    }
    const auto kept = [&](const at::Tensor& x) {
      return mask.defined() ? x * entry_of(mask, m, x) : x;
    };
    tokens.push_back(kept(given[m].tokens));
    for (std::size_t level = 0; level < sums.size(); ++level) {
      const at::Tensor share = kept(given[m].shares[level]);
      sums[level] = sums[level].defined() ? sums[level] + share : share;
    }
  }
  const at::Tensor mixed = transformer_->forward(at::cat(tokens, 1), at::cat(positions, 1), mode);
  return fused_->forward(from_tokens_->forward(layout(mixed)), sums, deep);
}

}  // namespace lacuna::methods::mmformer

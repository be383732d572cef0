#include "methods/mctseg/network.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"
#include "models/modality_names.h"
#include "models/token_fusion_network.h"
#include "models/width.h"

namespace lacuna::methods::mctseg {
namespace {

using models::ForwardMode;
using models::Linear;

constexpr int kLevels = 5;
constexpr std::int64_t kBase = 8;            // channels of the first level
constexpr std::int64_t kReduction = 16;      // of the extent down to the deepest level
constexpr std::int64_t kAdapter = 8;         // channels of an adapter in a modality's transformer
constexpr std::int64_t kFusionAdapter = 32;  // and of the one beside the fusion

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& owner, const std::string& name) {
  return owner.register_module(name, std::make_shared<torch::nn::Module>());
}

std::shared_ptr<models::LayerNorm> token_norm(std::int64_t width) {
  return std::make_shared<models::LayerNorm>(width, models::kTokenNormEpsilon);
}

}  // namespace

ConvAdapter::ConvAdapter(std::int64_t in, std::int64_t hidden, std::int64_t out, double dropout)
    : dropout_(dropout) {
  conv_ = register_module("adapter_conv", models::plain_conv(hidden, hidden, 3));
  down_ = register_module("adapter_down", std::make_shared<Linear>(in, hidden));
  up_ = register_module("adapter_up", std::make_shared<Linear>(hidden, out));
}

at::Tensor ConvAdapter::forward(const at::Tensor& tokens, at::IntArrayRef grid,
                                const ForwardMode& mode) const {
  const at::Tensor low = quick_gelu(down_->forward(tokens));
  const at::Tensor seen = models::tokens_of(conv_->forward(models::map_of(low, grid)));
  return up_->forward(models::dropped(quick_gelu(seen), dropout_, mode));
}

// The convolution keeps what initialise_kaiming() gave it.
void ConvAdapter::initialise() {
  const torch::NoGradGuard no_grad;
  const double bound =
      std::sqrt(6.0 / static_cast<double>(down_->weight.size(0) + down_->weight.size(1)));
  down_->weight.uniform_(-bound, bound);
  for (const at::Tensor& zero : {down_->bias, conv_->bias, up_->weight, up_->bias}) {
    at::Tensor(zero).zero_();
  }
}

AdaptedTransformer::AdaptedTransformer(const models::TokenTransformerShape& shape,
                                       std::int64_t adapter)
    : dropout_(shape.dropout) {
  const auto made = [&] {
    return std::make_shared<ConvAdapter>(shape.width, adapter, shape.width, shape.dropout);
  };
  const auto block = [&](const char* list) {
    return child(*child(*child(*this, list), "0"), "fn");
  };
  const auto attention = block("cross_attention_list");
  attention_norm_ = attention->register_module("norm", token_norm(shape.width));
  attention_ = attention->register_module("fn1", std::make_shared<models::TokenAttention>(shape));
  attention_adapter_ = attention->register_module("fn2", made());
  const auto mlp = block("cross_ffn_list");
  mlp_norm_ = mlp->register_module("norm", token_norm(shape.width));
  mlp_ = mlp->register_module("fn1", std::make_shared<models::TokenFeedForward>(shape));
  mlp_adapter_ = mlp->register_module("fn2", made());
}

// Card C 2.3.
at::Tensor AdaptedTransformer::forward(const at::Tensor& tokens, at::IntArrayRef grid,
                                       const ForwardMode& mode) const {
  at::Tensor u = attention_norm_->forward(tokens);
  const at::Tensor seen = attention_->forward(u, mode) + attention_adapter_->forward(u, grid, mode);
  const at::Tensor x = tokens + models::dropped(seen, dropout_, mode);
  u = mlp_norm_->forward(x);
  return x + mlp_->forward(u, mode) + mlp_adapter_->forward(u, grid, mode);
}

void AdaptedTransformer::initialise() {
  attention_adapter_->initialise();
  mlp_adapter_->initialise();
}

CrossModalFusion::CrossModalFusion(const models::TokenTransformerShape& shape,
                                   std::int64_t modalities, std::int64_t adapter, bool aligned)
    : dropout_(shape.dropout), aligned_(aligned) {
  const auto block = child(*this, "conv_trans");
  attention_norm_ = block->register_module("norm1", token_norm(shape.width));
  mlp_norm_ = block->register_module("norm2", token_norm(shape.width));
  attention_ = block->register_module("attention", std::make_shared<models::TokenAttention>(shape));
  mlp_ = block->register_module("ffn", std::make_shared<models::TokenFeedForward>(shape));
  adapter_ = register_module(
      "conv_pass",
      std::make_shared<ConvAdapter>(modalities * shape.width, adapter, shape.width, shape.dropout));
  decode_ =
      register_module("decode_conv", models::plain_conv(modalities * shape.width, shape.width));
}

// Card C 2.6.
at::Tensor CrossModalFusion::forward(const std::vector<at::Tensor>& tokens,
                                     const std::vector<at::Tensor>& positions, at::IntArrayRef grid,
                                     const ForwardMode& mode) const {
  at::Tensor x = at::cat(tokens, 1);
  if (!positions.empty()) x = x + at::cat(positions, 1);
  const at::Tensor seen = attention_->forward(attention_norm_->forward(x), mode);
  x = x + models::dropped(seen, dropout_, mode);
  x = x + mlp_->forward(mlp_norm_->forward(x), mode);
  const at::Tensor mixed = decode_->forward(
      models::map_of_modalities(x, static_cast<std::int64_t>(tokens.size()), grid, aligned_));
  const at::Tensor beside = adapter_->forward(at::cat(tokens, 2), grid, mode);
  return mixed + models::map_of(beside, grid);
}

void CrossModalFusion::initialise() { adapter_->initialise(); }

Network::Network(const Shape& shape) : branches_(shape.modalities.size()) {
  const auto channels = models::doubling_channels(kBase, kLevels, shape.width, /*multiple=*/2);
  const models::UnitStyle style{.norm_first = true, .border = models::Border::kZeros};
  const auto transformer = models::token_transformer_shape(shape.width, shape.dropout);
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
  if (shape.positions) {
    each([&](std::size_t m, Branch& branch) {
      branch.position =
          register_parameter(name(m, "_pos"), torch::zeros({1, tokens, transformer.width}));
    });
  }
  each([&](std::size_t m, Branch& branch) {
    branch.encoder = register_module(name(m, "_encoder"),
                                     std::make_shared<models::ModalityEncoder>(channels, style));
  });
  all_ = register_module("all_encoder",
                         std::make_shared<models::ModalityEncoder>(channels, style, modalities));
  each([&](std::size_t m, Branch& branch) {
    branch.to_tokens = register_module(name(m, "_encode_conv"),
                                       models::plain_conv(channels.back(), transformer.width));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.from_tokens = register_module(name(m, "_decode_conv"),
                                         models::plain_conv(transformer.width, channels.back()));
  });
  each([&](std::size_t m, Branch& branch) {
    branch.transformer = register_module(
        name(m, "_trans"),
        std::make_shared<AdaptedTransformer>(transformer, models::scaled(kAdapter, shape.width)));
  });
  fusion_ = register_module(
      "cmf", std::make_shared<CrossModalFusion>(transformer, modalities,
                                                models::scaled(kFusionAdapter, shape.width),
                                                shape.aligned_tokens));
  fused_ = register_module("decoder_fuse", std::make_shared<models::FusedDecoder>(
                                               channels, modalities, shape.classes, style));
  separate_ = register_module(
      "decoder_sep", std::make_shared<models::SeparateDecoder>(channels, shape.classes, style));
}

void Network::initialise() {
  models::initialise_kaiming(*this);
  for (const Branch& branch : branches_) branch.transformer->initialise();
  fusion_->initialise();
}

Network::Encoded Network::encode(const at::Tensor& image, std::size_t modality,
                                 const ForwardMode& mode) const {
  const Branch& branch = branches_[modality];
  Encoded encoded{branch.encoder->forward(image), {}};
  at::Tensor tokens = models::tokens_of(branch.to_tokens->forward(encoded.levels.back()));
  if (branch.position.defined()) tokens = tokens + branch.position;
  encoded.tokens = branch.transformer->forward(tokens, grid_, mode);
  return encoded;
}

models::Contribution Network::contribution(const Encoded& encoded, std::size_t modality) const {
  models::Contribution made{{}, encoded.tokens};
  for (std::size_t level = 0; level + 1 < encoded.levels.size(); ++level) {
    made.shares.push_back(
        fused_->share(level, static_cast<std::int64_t>(modality), encoded.levels[level]));
  }
  return made;
}

// Card C 2.5: what is missing is 0 at the fusions and among the tokens, which still take part.
models::FusedDecoder::Output Network::decode(const std::vector<models::Contribution>& given,
                                             const at::Tensor& mask, bool deep,
                                             const ForwardMode& mode) const {
  std::vector<at::Tensor> positions;
  for (const Branch& branch : branches_) {
    if (branch.position.defined()) positions.push_back(branch.position);
  }
  const models::GatheredModalities all = models::gather(given, mask);
  return fused_->forward(fusion_->forward(all.tokens, positions, grid_, mode), all.sums, deep);
}

at::Tensor Network::separate(const Encoded& encoded, std::size_t modality) const {
  std::vector<at::Tensor> levels = encoded.levels;
  levels.back() = branches_[modality].from_tokens->forward(models::map_of(encoded.tokens, grid_));
  return separate_->forward(levels);
}

}  // namespace lacuna::methods::mctseg

#include "methods/mst_kdnet/unetr.h"

#include <string>

#include <ATen/ATen.h>
#include <torch/types.h>

#include "models/width.h"

namespace lacuna::methods::mst_kdnet {
namespace {

constexpr std::int64_t kPatch = 4;
constexpr std::int64_t kHeadSize = 64;

// Adds blocks "0", "1", ... to `parent`, one per pair of neighbouring channel counts.
template <typename Block>
std::vector<std::shared_ptr<Block>> chain(torch::nn::Module& parent,
                                          const std::vector<std::int64_t>& channels,
                                          const auto&... more) {
  std::vector<std::shared_ptr<Block>> blocks;
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    blocks.push_back(parent.register_module(
        std::to_string(i), std::make_shared<Block>(channels[i], channels[i + 1], more...)));
  }
  return blocks;
}

template <typename Block>
at::Tensor through(const std::vector<std::shared_ptr<Block>>& blocks, at::Tensor x,
                   const models::ForwardMode& mode) {
  for (const auto& block : blocks) x = block->forward(x, mode);
  return x;
}

}  // namespace

Unetr::Unetr(const UnetrShape& shape) : shape_(shape) {
  transformer_.width = transformer_.heads * models::scaled(kHeadSize, shape.width);
  transformer_.hidden = models::scaled(transformer_.hidden, shape.width);
  make_transformer(transformer_.width);
  make_decoder(transformer_.width);
}

void Unetr::make_transformer(std::int64_t hidden) {
  const auto [d, h, w] = shape_.extent;
  const auto transformer = register_module("transformer", std::make_shared<torch::nn::Module>());
  const auto embeddings =
      transformer->register_module("embeddings", std::make_shared<torch::nn::Module>());
  position_ = embeddings->register_parameter(
      "position_embeddings", torch::zeros({1, d / kPatch * (h / kPatch) * (w / kPatch), hidden}));
  patches_ = embeddings->register_module(
      "patch_embeddings",
      std::make_shared<models::BiasedConv>(models::ConvShape{.in = shape_.channels,
                                                             .out = hidden,
                                                             .kernel = kPatch,
                                                             .stride = {kPatch, kPatch, kPatch}}));
  const auto list = transformer->register_module("layer", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < shape_.layers; ++i) {
    layers_.push_back(list->register_module(
        std::to_string(i), std::make_shared<models::TransformerLayer>(transformer_)));
  }
  transformer->register_module("encoder_norm", std::make_shared<models::LayerNorm>(hidden, 1e-6));
}

void Unetr::make_decoder(std::int64_t hidden) {
  const auto c = [&](std::int64_t channels) { return models::scaled(channels, shape_.width); };
  const auto part = [&](const char* name) {
    return register_module(name, std::make_shared<torch::nn::Module>());
  };
  decoder0_ = chain<ConvBatchNorm>(*part("decoder0"), {shape_.channels, c(32), c(64)});
  decoder3_ = chain<UpConvBatchNorm>(*part("decoder3"), {hidden, c(512), c(256), c(128)});
  decoder6_ = chain<UpConvBatchNorm>(*part("decoder6"), {hidden, c(512), c(256)});
  decoder9_ = {register_module("decoder9", std::make_shared<UpConvBatchNorm>(hidden, c(512)))};
  up12_ = register_module("decoder12_upsampler",
                          std::make_shared<Single<models::UpConv>>(hidden, c(512)));
  const auto up = [&](torch::nn::Module& parent, const char* name, std::int64_t in,
                      std::int64_t out) {
    return parent.register_module(name, std::make_shared<Single<models::UpConv>>(in, out));
  };
  auto merge = part("decoder9_upsampler");
  merge9_ = chain<ConvBatchNorm>(*merge, {2 * c(512), c(512), c(512), c(512)});
  up9_ = up(*merge, "3", c(512), c(256));
  merge = part("decoder6_upsampler");
  merge6_ = chain<ConvBatchNorm>(*merge, {2 * c(256), c(256), c(256)});
  up6_ = up(*merge, "2", c(256), c(128));
  merge = part("decoder3_upsampler");
  merge3_ = chain<ConvBatchNorm>(*merge, {2 * c(128), c(128), c(128)}, /*stride=*/std::int64_t{2});
  up3_ = up(*merge, "2", c(128), c(64));
  merge = part("decoder0_header");
  merge0_ = chain<ConvBatchNorm>(*merge, {2 * c(64), c(64), c(64)});
  head_ = merge->register_module("2", std::make_shared<Single<models::BiasedConv>>(
                                          models::ConvShape{.in = c(64), .out = shape_.channels}));
}

at::Tensor Unetr::tokens_of(const at::Tensor& x, const models::ForwardMode& mode) const {
  const at::Tensor embedded = patches_->forward(x).flatten(2).transpose(1, 2) + position_;
  return models::dropped(embedded, transformer_.dropout, mode);
}

UnetrOutput Unetr::forward(const at::Tensor& x, const models::ForwardMode& mode) const {
  UnetrOutput result;
  std::array<at::Tensor, 4> taps;  // z3, z6, z9, z12
  at::Tensor tokens = tokens_of(x, mode);
  const std::size_t between = layers_.size() / taps.size();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    models::SelfAttention::Output out = layers_[i]->forward(tokens, mode);
    tokens = out.value;
    if ((i + 1) % between != 0) continue;
    const std::size_t tap = (i + 1) / between - 1;
    result.attention[tap] = out.probabilities;
    taps[tap] = tokens.transpose(1, 2).unflatten(
        2, {shape_.extent[0] / kPatch, shape_.extent[1] / kPatch, shape_.extent[2] / kPatch});
  }
  const auto merged = [&](const at::Tensor& skip, const at::Tensor& below, const auto& blocks,
                          const auto& last) {
    return last->forward(through(blocks, at::cat({skip, below}, 1), mode), mode);
  };
  auto& [f3, f6, f9, f12] = result.features;
  f12 = up12_->forward(taps[3], mode);
  f9 = merged(through(decoder9_, taps[2], mode), f12, merge9_, up9_);
  f6 = merged(through(decoder6_, taps[1], mode), f9, merge6_, up6_);
  f3 = merged(through(decoder3_, taps[0], mode), f6, merge3_, up3_);
  result.out = merged(through(decoder0_, x, mode), f3, merge0_, head_);
  return result;
}

}  // namespace lacuna::methods::mst_kdnet

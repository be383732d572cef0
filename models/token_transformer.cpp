#include "models/token_transformer.h"

#include <string>

namespace lacuna::models {
namespace {

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& owner, const std::string& name) {
  return owner.register_module(name, std::make_shared<torch::nn::Module>());
}

}  // namespace

TokenTransformer::TokenTransformer(const TokenTransformerShape& shape)
    : shape_(shape), layers_(static_cast<std::size_t>(shape.depth)) {
  const auto attentions = child(*this, "cross_attention_list");
  const auto mlps = child(*this, "cross_ffn_list");
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const auto norm = [&] { return std::make_shared<LayerNorm>(shape.width, kTokenNormEpsilon); };
    const auto attention = child(*child(*attentions, std::to_string(i)), "fn");
    layer.attention_norm = attention->register_module("norm", norm());
    layer.attention = attention->register_module("fn", std::make_shared<TokenAttention>(shape));
    const auto mlp = child(*child(*mlps, std::to_string(i)), "fn");
    layer.mlp_norm = mlp->register_module("norm", norm());
    layer.mlp = mlp->register_module("fn", std::make_shared<TokenFeedForward>(shape));
  }
}

at::Tensor TokenTransformer::forward(const at::Tensor& tokens, const at::Tensor& position,
                                     const ForwardMode& mode) const {
  at::Tensor x = tokens;
  for (const Layer& layer : layers_) {
    x = x + position;
    const at::Tensor seen = layer.attention->forward(layer.attention_norm->forward(x), mode);
    x = x + dropped(seen, shape_.dropout, mode);  // the published block drops twice
    x = x + layer.mlp->forward(layer.mlp_norm->forward(x), mode);
  }
  return x;
}

}  // namespace lacuna::models

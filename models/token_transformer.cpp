#include "models/token_transformer.h"

#include <cmath>
#include <string>

#include <ATen/ATen.h>

namespace lacuna::models {
namespace {

constexpr double kTokenNormEpsilon = 1e-5;

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
    const auto maps = child(*attention, "fn");
    layer.qkv = maps->register_module(
        "qkv", std::make_shared<Linear>(shape.width, 3 * shape.width, /*with_bias=*/false));
    layer.proj = maps->register_module("proj", std::make_shared<Linear>(shape.width, shape.width));
    const auto mlp = child(*child(*mlps, std::to_string(i)), "fn");
    layer.mlp_norm = mlp->register_module("norm", norm());
    const auto net = child(*child(*mlp, "fn"), "net");
    layer.first = net->register_module("0", std::make_shared<Linear>(shape.width, shape.hidden));
    layer.second = net->register_module("3", std::make_shared<Linear>(shape.hidden, shape.width));
  }
}

at::Tensor TokenTransformer::attend(const Layer& layer, const at::Tensor& x,
                                    const ForwardMode& mode) const {
  const std::int64_t head = shape_.width / shape_.heads;
  // N x tokens x (3 heads head) -> 3 x N x heads x tokens x head
  const at::Tensor qkv =
      layer.qkv->forward(x).unflatten(2, {3, shape_.heads, head}).permute({2, 0, 3, 1, 4});
  const at::Tensor scores =
      at::matmul(qkv[0], qkv[1].transpose(2, 3)) / std::sqrt(static_cast<double>(head));
  const at::Tensor weights = dropped(scores.softmax(-1), shape_.dropout, mode);
  const at::Tensor joined = at::matmul(weights, qkv[2]).transpose(1, 2).flatten(2);
  const at::Tensor out = dropped(layer.proj->forward(joined), shape_.dropout, mode);
  return dropped(out, shape_.dropout, mode);  // the published block drops twice
}

at::Tensor TokenTransformer::forward(const at::Tensor& tokens, const at::Tensor& position,
                                     const ForwardMode& mode) const {
  at::Tensor x = tokens;
  for (const Layer& layer : layers_) {
    x = x + position;
    x = x + attend(layer, layer.attention_norm->forward(x), mode);
    const at::Tensor hidden = at::gelu(layer.first->forward(layer.mlp_norm->forward(x)));
    const at::Tensor out = layer.second->forward(dropped(hidden, shape_.dropout, mode));
    x = x + dropped(out, shape_.dropout, mode);
  }
  return x;
}

at::Tensor tokens_of(const at::Tensor& map) { return map.flatten(2).transpose(1, 2); }

at::Tensor map_of(const at::Tensor& tokens, at::IntArrayRef extent) {
  return tokens.transpose(1, 2).unflatten(2, extent);
}

}  // namespace lacuna::models

#include "models/transformer.h"

#include <cmath>

#include <ATen/ATen.h>
#include <torch/types.h>

namespace lacuna::models {

namespace {

constexpr double kLayerNormEpsilon = 1e-6;

}  // namespace

SelfAttention::SelfAttention(const TransformerShape& shape) : shape_(shape) {
  const auto make = [&](const char* name) {
    return register_module(name, std::make_shared<Linear>(shape.width, shape.width));
  };
  query_ = make("query");
  key_ = make("key");
  value_ = make("value");
  out_ = make("out");
}

SelfAttention::Output SelfAttention::forward(const at::Tensor& x, const ForwardMode& mode) const {
  const std::int64_t head = shape_.width / shape_.heads;
  const auto by_head = [&](const std::shared_ptr<Linear>& map) {
    return map->forward(x).unflatten(2, {shape_.heads, head}).transpose(1, 2);
  };
  const at::Tensor scores = at::matmul(by_head(query_), by_head(key_).transpose(2, 3));
  const at::Tensor probabilities = (scores / std::sqrt(static_cast<double>(head))).softmax(-1);
  const at::Tensor mixed =
      at::matmul(dropped(probabilities, shape_.dropout, mode), by_head(value_));
  const at::Tensor joined = mixed.transpose(1, 2).flatten(2);
  return {dropped(out_->forward(joined), shape_.dropout, mode), probabilities};
}

TransformerLayer::TransformerLayer(const TransformerShape& shape) : dropout_(shape.dropout) {
  attention_norm_ = register_module("attention_norm",
                                    std::make_shared<LayerNorm>(shape.width, kLayerNormEpsilon));
  mlp_norm_ =
      register_module("mlp_norm", std::make_shared<LayerNorm>(shape.width, kLayerNormEpsilon));
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  w1_ = mlp->register_module("w_1", std::make_shared<Linear>(shape.width, shape.hidden));
  w2_ = mlp->register_module("w_2", std::make_shared<Linear>(shape.hidden, shape.width));
  attention_ = register_module("attn", std::make_shared<SelfAttention>(shape));
}

SelfAttention::Output TransformerLayer::forward(const at::Tensor& x,
                                                const ForwardMode& mode) const {
  SelfAttention::Output out = attention_->forward(attention_norm_->forward(x), mode);
  const at::Tensor y = x + out.value;
  const at::Tensor hidden = w1_->forward(mlp_norm_->forward(y)).relu_();
  out.value = y + w2_->forward(dropped(hidden, dropout_, mode));
  return out;
}

}  // namespace lacuna::models

#include "models/token_layers.h"

#include <cmath>

#include <ATen/ATen.h>

namespace lacuna::models {

TokenAttention::TokenAttention(const TokenTransformerShape& shape) : shape_(shape) {
  qkv_ = register_module(
      "qkv", std::make_shared<Linear>(shape.width, 3 * shape.width, /*with_bias=*/false));
  proj_ = register_module("proj", std::make_shared<Linear>(shape.width, shape.width));
}

at::Tensor TokenAttention::forward(const at::Tensor& x, const ForwardMode& mode) const {
  const std::int64_t head = shape_.width / shape_.heads;
  // N x tokens x (3 heads head) -> 3 x N x heads x tokens x head
  const at::Tensor qkv =
      qkv_->forward(x).unflatten(2, {3, shape_.heads, head}).permute({2, 0, 3, 1, 4});
  const at::Tensor scores =
      at::matmul(qkv[0], qkv[1].transpose(2, 3)) / std::sqrt(static_cast<double>(head));
  const at::Tensor weights = dropped(scores.softmax(-1), shape_.dropout, mode);
  const at::Tensor joined = at::matmul(weights, qkv[2]).transpose(1, 2).flatten(2);
  return dropped(proj_->forward(joined), shape_.dropout, mode);
}

TokenFeedForward::TokenFeedForward(const TokenTransformerShape& shape) : shape_(shape) {
  const auto net = register_module("net", std::make_shared<torch::nn::Module>());
  first_ = net->register_module("0", std::make_shared<Linear>(shape.width, shape.hidden));
  second_ = net->register_module("3", std::make_shared<Linear>(shape.hidden, shape.width));
}

at::Tensor TokenFeedForward::forward(const at::Tensor& x, const ForwardMode& mode) const {
  const at::Tensor hidden = at::gelu(first_->forward(x));
  return dropped(second_->forward(dropped(hidden, shape_.dropout, mode)), shape_.dropout, mode);
}

at::Tensor tokens_of(const at::Tensor& map) { return map.flatten(2).transpose(1, 2); }

at::Tensor map_of(const at::Tensor& tokens, at::IntArrayRef extent) {
  return tokens.transpose(1, 2).unflatten(2, extent);
}

at::Tensor map_of_modalities(const at::Tensor& tokens, std::int64_t modalities,
                             at::IntArrayRef extent, bool aligned) {
  at::Tensor rows = tokens;
  if (aligned) {  // N x M x tokens x width -> N x tokens x M x width
    rows = rows.unflatten(1, {modalities, -1}).transpose(1, 2).flatten(1, 2);
  }
  const std::int64_t width = tokens.size(2);
  return map_of(rows.contiguous().view({tokens.size(0), -1, modalities * width}), extent);
}

}  // namespace lacuna::models

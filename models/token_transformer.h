// Transformer blocks over tokens in the layout of mmFormer and its successors: pre-norm layers
//   x <- x + position,   x <- x + drop(drop(Wo MSA(LN(x)))),   x <- x + drop(W2 drop(GELU(W1
//   LN(x))))
// with one map without bias for queries, keys and values, rows [q, k, v] of all heads, and
// MSA = drop(softmax(Q K^T / sqrt(head))) V (Vaswani et al. 2017, Eq. 1). Layer norm has epsilon
// 1e-5, GELU is exact.
//
// Children: cross_attention_list.{i}.fn.{norm,fn.qkv,fn.proj},
// cross_ffn_list.{i}.fn.{norm,fn.net.0, fn.net.3}. Weights are 0 until initialise_fan_in(). Not
// thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "models/token_layers.h"

namespace lacuna::models {

class TokenTransformer : public torch::nn::Module {
 public:
  explicit TokenTransformer(const TokenTransformerShape& shape);

  // tokens: N x tokens x width; position: 1 x tokens x width, added in every layer.
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& position,
                     const ForwardMode& mode) const;

 private:
  struct Layer {
    std::shared_ptr<LayerNorm> attention_norm, mlp_norm;
    std::shared_ptr<TokenAttention> attention;
    std::shared_ptr<TokenFeedForward> mlp;
  };

  TokenTransformerShape shape_;
  std::vector<Layer> layers_;
};

}  // namespace lacuna::models

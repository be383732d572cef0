// A transformer encoder in the layout of UNETR's first public code: pre-norm layers
//   x <- x + drop(Wo MSA(LN(x))),   x <- x + W2 drop(ReLU(W1 LN(x))),
// multi-head self-attention softmax(Q K^T / sqrt(head)) V (Vaswani et al. 2017, Eq. 1). Layer norm
// has epsilon 1e-6. Weights are 0 until initialise_fan_in(). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/forward_mode.h"
#include "models/linear.h"

namespace lacuna::models {

struct TransformerShape {
  std::int64_t width = 768, heads = 12, hidden = 2048;
  double dropout = 0.1;  // of the probabilities, of the attention's output, in the MLP
};

// Children: query, key, value, out.
class SelfAttention : public torch::nn::Module {
 public:
  explicit SelfAttention(const TransformerShape& shape);

  struct Output {
    at::Tensor value;          // N x tokens x width
    at::Tensor probabilities;  // N x heads x tokens x tokens, before dropout
  };
  Output forward(const at::Tensor& x, const ForwardMode& mode) const;

 private:
  TransformerShape shape_;
  std::shared_ptr<Linear> query_, key_, value_, out_;
};

// Children: attention_norm, mlp_norm, mlp.{w_1,w_2}, attn.
class TransformerLayer : public torch::nn::Module {
 public:
  explicit TransformerLayer(const TransformerShape& shape);

  SelfAttention::Output forward(const at::Tensor& x, const ForwardMode& mode) const;

 private:
  double dropout_;
  std::shared_ptr<LayerNorm> attention_norm_, mlp_norm_;
  std::shared_ptr<Linear> w1_, w2_;
  std::shared_ptr<SelfAttention> attention_;
};

}  // namespace lacuna::models

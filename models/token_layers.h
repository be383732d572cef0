// The layers of transformers over tokens in the layout of mmFormer and its successors, without the
// norms before and the sums behind them. Weights are 0 until initialise_fan_in(). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/forward_mode.h"
#include "models/linear.h"

namespace lacuna::models {

struct TokenTransformerShape {
  std::int64_t width = 512, heads = 8, hidden = 4096;
  int depth = 1;
  double dropout = 0.1;
};

// drop(Wo drop(softmax(Q K^T / sqrt(head))) V), one map without bias for queries, keys and values,
// rows [q, k, v] of all heads (Vaswani et al. 2017, Eq. 1). Children: qkv, proj.
class TokenAttention : public torch::nn::Module {
 public:
  explicit TokenAttention(const TokenTransformerShape& shape);
  at::Tensor forward(const at::Tensor& x, const ForwardMode& mode) const;

 private:
  TokenTransformerShape shape_;
  std::shared_ptr<Linear> qkv_, proj_;
};

// drop(W2 drop(GELU(W1 x))), GELU exact. Children: net.0, net.3.
class TokenFeedForward : public torch::nn::Module {
 public:
  explicit TokenFeedForward(const TokenTransformerShape& shape);
  at::Tensor forward(const at::Tensor& x, const ForwardMode& mode) const;

 private:
  TokenTransformerShape shape_;
  std::shared_ptr<Linear> first_, second_;
};

inline constexpr double kTokenNormEpsilon = 1e-5;

// N x C x d x h x w -> N x (d h w) x C, rows in the order of memory, and back.
at::Tensor tokens_of(const at::Tensor& map);
at::Tensor map_of(const at::Tensor& tokens, at::IntArrayRef extent);

// N x (M tokens) x width, modality by modality -> N x (M width) x d x h x w. Published code takes
// the rows of memory for the voxels', so voxel p gets tokens M p to M p + M - 1; aligned: the M
// tokens of its own place.
at::Tensor map_of_modalities(const at::Tensor& tokens, std::int64_t modalities,
                             at::IntArrayRef extent, bool aligned);

}  // namespace lacuna::models

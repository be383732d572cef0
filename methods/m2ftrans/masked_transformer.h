// M2FTrans' masked transformer (card 2.2): tokens of M modalities and learned fusion tokens, P of
// each. The rows of a modality see that modality alone, whether it is missing or not; fusion rows
// see each other and the modalities that are there. Pre-norm blocks:
//
//   x <- x + drop(drop(Wo drop(softmax(Q K^T / sqrt(head) + mask)) V)),   x <- x + FFN(LN(x))
//
// So what a modality computes depends on no other and on no subset: modalities() runs once, and
// fuse() takes the fusion rows alone through the blocks.
//
// Children: cross_attention_list.{i}.fn.{norm,fn.qkv,fn.proj}, cross_ffn_list.{i}.fn.{norm,
// fn.net.0,fn.net.3}. Weights are 0 until initialise_fan_in(). Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "models/forward_mode.h"
#include "models/linear.h"

namespace lacuna::methods::m2ftrans {

struct TransformerShape {
  std::int64_t width = 256, heads = 8, hidden = 4096;
  int depth = 3;
  double dropout = 0.1;
};

class MaskedTransformer : public torch::nn::Module {
 public:
  explicit MaskedTransformer(const TransformerShape& shape);

  // Keys and values of one block: N x M x heads x P x head.
  struct Seen {
    at::Tensor key, value;
  };
  struct Modalities {
    at::Tensor tokens;       // N x M x P x width behind the last block
    std::vector<Seen> seen;  // by block
  };
  // tokens: N x M x P x width with their positions.
  Modalities modalities(const at::Tensor& tokens, const models::ForwardMode& mode) const;

  struct Fusion {
    at::Tensor tokens;     // N x P x width behind the last block
    at::Tensor attention;  // of the first block, N x heads x P x (P + M P): to fusion tokens, then
                           // to each modality's; no gradient goes back; with dropout in training
  };
  // tokens: N x P x width with their positions. mask: N x M, 0 where a sample lacks a modality, or
  // undefined: all of `seen` is there.
  Fusion fuse(const at::Tensor& tokens, const std::vector<Seen>& seen, const at::Tensor& mask,
              const models::ForwardMode& mode) const;

 private:
  struct Block {
    std::shared_ptr<models::LayerNorm> attention_norm, mlp_norm;
    std::shared_ptr<models::Linear> qkv, proj, first, second;
  };
  // Rows of any leading extents -> 3 x ... x heads x rows x head.
  at::Tensor heads_of(const Block& block, const at::Tensor& x) const;
  at::Tensor weights(const at::Tensor& query, const at::Tensor& key, const at::Tensor& forbidden,
                     const models::ForwardMode& mode) const;
  // What follows the weighted values, with both sums.
  at::Tensor leave(const Block& block, const at::Tensor& x, const at::Tensor& mixed,
                   const models::ForwardMode& mode) const;

  TransformerShape shape_;
  std::vector<Block> blocks_;
};

}  // namespace lacuna::methods::m2ftrans

// The decoder of RFNet and its successors, less what it takes beside the features from below: per
// level l, from the last but one up to 1,
//   up_l = d{l}_c1(enlarge(x)),   x = d{l}_out(d{l}_c2([up_l, skip_l] or [skip_l, up_l])).
//
// Children: d{l}_c1, d{l}_c2, d{l}_out, from the deepest level to level 1; a network adds heads of
// its own behind them. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "models/conv_unit.h"

namespace lacuna::models {

class TrunkDecoder : public torch::nn::Module {
 public:
  // channels: of every level of the encoder; the decoder has one level less.
  TrunkDecoder(const std::vector<std::int64_t>& channels, const UnitStyle& style);

  int levels() const { return static_cast<int>(stages_.size()); }
  // x of level + 1 -> up_l. Levels count from 1.
  at::Tensor enter(int level, const at::Tensor& x) const;
  // joined: twice the channels of the level.
  at::Tensor leave(int level, const at::Tensor& joined) const;

 private:
  struct Stage {
    std::shared_ptr<ConvUnit> c1, c2, out;
  };
  std::vector<Stage> stages_;  // level l at l - 1
  bool nearest_;
};

// The decoder that one modality alone passes, shared by all of them (training only): skips are the
// encoder's, in the order [up_l, x_l]. Child of its own: seg_layer.
class SeparateDecoder : public TrunkDecoder {
 public:
  SeparateDecoder(const std::vector<std::int64_t>& channels, int classes, const UnitStyle& style);

  // levels: x_1, x_2, ... -> logits N x classes x D x H x W.
  at::Tensor forward(const std::vector<at::Tensor>& levels) const;

 private:
  std::shared_ptr<BiasedConv> classify_;
};

}  // namespace lacuna::models

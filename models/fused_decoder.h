// The decoder of mmFormer and its successors that fuses the modalities' features at every scale:
// level by level, from the deepest,
//   f_5 = RFM5(bottleneck),   f_l = d{l}_out(d{l}_c2([RFM{l}(x_l of all modalities), d{l}_c1(2
//   f)]))
// with heads at every level. Children beside the trunk's: seg_d{l}, seg_layer, RFM{l}. Weights are
// 0 until initialise_kaiming(). Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "models/modality_fusion.h"
#include "models/trunk_decoder.h"

namespace lacuna::models {

class FusedDecoder : public TrunkDecoder {
 public:
  // channels: of every level of an encoder.
  FusedDecoder(const std::vector<std::int64_t>& channels, std::int64_t modalities, int classes,
               const UnitStyle& style);

  struct Output {
    at::Tensor logits;             // N x classes x D x H x W
    std::vector<at::Tensor> deep;  // logits at 1/2, 1/4, 1/8, ... of the extent
  };
  // bottleneck: N x (M c) x d x h x w; sums: of the shares of what is there, finest level first.
  Output forward(const at::Tensor& bottleneck, const std::vector<at::Tensor>& sums,
                 bool deep) const;

  // What a modality's features of a level contribute, whatever the others are. Levels from 0.
  at::Tensor share(std::size_t level, std::int64_t modality, const at::Tensor& features) const {
    return fusion_[level]->share(modality, features);
  }

 private:
  std::shared_ptr<BiasedConv> classify_;
  std::vector<std::shared_ptr<BiasedConv>> deep_;        // seg_d{l} at l - 1
  std::vector<std::shared_ptr<ModalityFusion>> fusion_;  // RFM{l} at l - 1
};

// What a modality contributes to a fused decoder, without the other modalities: its share of the
// fusion of every level but the deepest, and its tokens, N x tokens x width. Empty: the modality is
// missing;
// tokens alone undefined: it is, but the share of its finest level is given.
struct Contribution {
  std::vector<at::Tensor> shares;
  at::Tensor tokens;
  bool keeps_finest = false;  // the share of the finest level is no matter of the mask
};

// Of all modalities, at least one of which is there: tokens of each, 0 where it is missing, and the
// sums of shares.
struct GatheredModalities {
  std::vector<at::Tensor> tokens, sums;
};
// mask: N x M, what a sample lacks is 0; undefined: what is not empty is there.
GatheredModalities gather(const std::vector<Contribution>& given, const at::Tensor& mask);

// Contributions as a list of tensors, one modality after the other, and those that `present` names
// back from it.
std::vector<at::Tensor> listed(const std::vector<Contribution>& all);
std::vector<Contribution> unlisted(const std::vector<at::Tensor>& list,
                                   const std::vector<bool>& present);

// A modality's features or tokens where samples have it, 0 where not. x: N x ...; mask: N x M, 1 or
// 0; undefined: all have it.
at::Tensor kept_where(const at::Tensor& x, const at::Tensor& mask, std::size_t modality);

}  // namespace lacuna::models

// M2FTrans under the names of its published state_dict: an encoder per modality, the masked
// transformer over their deepest features and learned fusion tokens, the decoder that fuses, and
// the decoder of single modalities. Made for one extent (positions, fusion tokens). Weights are 0
// until initialise(). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/types/extent.h"
#include "methods/m2ftrans/channel_fusion.h"
#include "methods/m2ftrans/masked_transformer.h"
#include "models/modality_encoder.h"
#include "models/trunk_decoder.h"

namespace lacuna::methods::m2ftrans {

struct Shape {
  std::vector<std::string> modalities;  // in the network's order
  int classes = 4;
  double width = 1;
  data::Extent extent{80, 80, 80};
  models::UnitStyle style;
  double dropout = 0.1;
};

// The fusion of the modalities' weighted features at one of the three finest levels (RFM): units
// M c -> c -> c -> c of kernels 1, 3, 1. Behind the weights a of the voxels the first convolution
// is sum_m a_m W_m x_m + b: a share of each modality that no subset changes. Children:
// fusion_layer.{0,1,2}.
class WeightedFusion : public torch::nn::Module {
 public:
  WeightedFusion(std::int64_t modalities, std::int64_t channels, const models::UnitStyle& style);
  at::Tensor share(std::int64_t modality, const at::Tensor& features) const;
  // The sum of the weighted shares.
  at::Tensor from_shares(const at::Tensor& sum) const;

 private:
  std::int64_t channels_;
  std::array<std::shared_ptr<models::ConvUnit>, 3> units_;
};

// What the modalities contribute, whatever the subset; M: in the network's order.
struct Encoded {
  std::vector<std::vector<at::Tensor>> shares;  // by level 1 to 3, by modality
  std::vector<at::Tensor> fourth;               // x_4 by modality
  MaskedTransformer::Modalities deepest;
};

class FusedDecoder : public torch::nn::Module {
 public:
  FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape);

  struct Output {
    at::Tensor logits;             // N x classes x D x H x W
    std::vector<at::Tensor> maps;  // probabilities by level at their own extents, finest first
  };
  // weights: by modality N x 1 x d x h x w at the deepest level; undefined: no sample has it. deep:
  // the transformer's maps by modality. mask: N x M or undefined.
  Output forward(const Encoded& encoded, const std::vector<at::Tensor>& deep,
                 const std::vector<at::Tensor>& weights, const at::Tensor& fusion,
                 const at::Tensor& mask, bool maps, const models::ForwardMode& mode) const;

  at::Tensor share(std::size_t level, std::int64_t modality, const at::Tensor& features) const {
    return fusion_[level]->share(modality, features);
  }

 private:
  struct Map {
    std::shared_ptr<models::ConvUnit> unit;
    std::shared_ptr<models::BiasedConv> classify;
  };
  at::Tensor map(std::size_t level, const at::Tensor& x) const;

  std::shared_ptr<models::ConvUnit> deepest_c2_, deepest_out_;
  std::shared_ptr<ChannelFusion> fifth_, fourth_;
  std::shared_ptr<models::TrunkDecoder> trunk_;
  std::shared_ptr<models::BiasedConv> classify_;
  std::vector<std::shared_ptr<WeightedFusion>> fusion_;  // level l at l - 1
  std::vector<Map> maps_;                                // the same
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);
  void initialise();

  // image: N x 1 x D x H x W -> x_1 to x_5.
  std::vector<at::Tensor> levels(const at::Tensor& image, int modality) const;
  // levels: of each modality.
  Encoded encode(const std::vector<std::vector<at::Tensor>>& levels,
                 const models::ForwardMode& mode) const;
  // present: by modality; what is not is left out. mask: N x M, 0 where a sample lacks what is
  // present; undefined: all have it.
  FusedDecoder::Output decode(const Encoded& encoded, const std::vector<bool>& present,
                              const at::Tensor& mask, bool maps,
                              const models::ForwardMode& mode) const;
  at::Tensor separate(const std::vector<at::Tensor>& levels) const {
    return separate_->forward(levels);
  }

  // Card 2.3: the attention N x heads x P x (P + M P) that the fusion tokens pay to each place of
  // each modality, summed over heads and fusion tokens -> N x M x P.
  static at::Tensor place_weights(const at::Tensor& attention);
  // The fusion rows' attention in the first block alone, N x heads x P x (P + M P).
  at::Tensor attention(const Encoded& encoded, const at::Tensor& mask) const;

 private:
  MaskedTransformer::Fusion fuse(const std::vector<MaskedTransformer::Seen>& seen,
                                 std::int64_t samples, const at::Tensor& mask,
                                 const models::ForwardMode& mode) const;

  std::vector<std::int64_t> grid_;  // extent of the deepest level
  std::int64_t places_ = 1;
  at::Tensor position_, fusion_;  // 1 x (M + 1) P x width; 1 x P x width
  std::vector<std::shared_ptr<models::ModalityEncoder>> encoders_;
  std::shared_ptr<MaskedTransformer> transformer_;
  std::shared_ptr<FusedDecoder> fused_;
  std::shared_ptr<models::SeparateDecoder> separate_;
};

}  // namespace lacuna::methods::m2ftrans

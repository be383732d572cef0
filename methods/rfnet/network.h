// RFNet under the names of its published state_dict: an encoder per modality, the fused decoder
// with region-aware fusion, and the decoder of single modalities. Weights are 0 until initialise().
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/rfnet/region_fusion.h"
#include "models/modality_encoder.h"
#include "models/probability_map.h"
#include "models/trunk_decoder.h"

namespace lacuna::methods::rfnet {

// Features of one modality by level, finest first: N x c x d x h x w each.
using Levels = std::vector<at::Tensor>;

struct Shape {
  std::vector<std::string> modalities;  // in the network's order
  int classes = 4;
  double width = 1;
  models::UnitStyle style;
};

class FusedDecoder : public models::TrunkDecoder {
 public:
  FusedDecoder(const std::vector<std::int64_t>& channels, const Shape& shape);

  struct Output {
    at::Tensor logits;             // N x classes x D x H x W
    std::vector<at::Tensor> maps;  // probabilities of each level at its own extent, finest first
  };
  // features: N x M x c x d x h x w by level, 0 where a modality is missing.
  Output forward(const std::vector<at::Tensor>& features) const;

 private:
  std::shared_ptr<models::BiasedConv> classify_;
  std::vector<std::shared_ptr<RegionFusion>> fusion_;          // by level, finest first
  std::vector<std::shared_ptr<models::ProbabilityMap>> maps_;  // the same
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);
  void initialise();

  // image: N x 1 x D x H x W.
  Levels encode(const at::Tensor& image, int modality) const;
  // features: of each modality in the network's order; without levels where no sample has it. mask:
  // N x M.
  FusedDecoder::Output decode(const std::vector<Levels>& features, const at::Tensor& mask) const;
  // Logits of one modality alone.
  at::Tensor separate(const Levels& features) const { return separate_->forward(features); }

 private:
  std::vector<std::shared_ptr<models::ModalityEncoder>> encoders_;
  std::shared_ptr<FusedDecoder> fused_;
  std::shared_ptr<models::SeparateDecoder> separate_;
};

}  // namespace lacuna::methods::rfnet

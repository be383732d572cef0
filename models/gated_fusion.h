// The segmentation path of Robust-MSeg (Chen et al., MICCAI 2019), which is the teacher of PMKL: an
// encoder per modality, voxel-wise gates that merge what is there at each of four scales, and one
// decoder.
//
//   a = sigmoid(IN(conv3([f_1, ..., f_M]))),   z = LReLU(IN(conv1([a_1 f_1, ..., a_M f_M])))
//
// Both convolutions are sums over modalities, and a gate is one number for all channels of a voxel,
// so it may follow the 1x1x1 convolution: a modality is encoded, and its share of either computed,
// whatever else is there. A missing one adds nothing. The gates need not sum to 1.
//
// Children of a network: ce_{modality}, att_c{l}, fusion_c{l}, mask_de. Weights are 0 until
// initialise_gated() (models/initialisation.h). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/modality_encoder.h"
#include "models/trunk_decoder.h"

namespace lacuna::models {

inline constexpr int kGatedLevels = 4;

// Convolution between mirrored borders, instance norm with scale and shift and epsilon 1e-6, leaky
// ReLU of slope 0.2; decoders repeat voxels.
UnitStyle gated_style();

// 16, 32, 64, 128 at width 1.
std::vector<std::int64_t> gated_channels(double width);

// Skips are [up_l, z_l]. Child of its own: seg_logit.
class MaskDecoder : public TrunkDecoder {
 public:
  MaskDecoder(const std::vector<std::int64_t>& channels, int classes);

  struct Output {
    at::Tensor logits;    // N x classes x D x H x W
    at::Tensor features;  // what they are made of, the output of d1_out
  };
  // levels: finest first.
  Output forward(const std::vector<at::Tensor>& levels) const;

 private:
  std::shared_ptr<ConvUnit> classify_;
};

// Of one modality at each level: its share of the convolution for the gates, N x M x d x h x w, and
// of the one behind the gates, N x c x d x h x w.
struct GatedShares {
  std::vector<at::Tensor> gates, features;
  bool empty() const { return gates.empty(); }
};

class GatedNetwork : public torch::nn::Module {
 public:
  // modalities: in the network's order.
  GatedNetwork(const std::vector<std::string>& modalities, int classes, double width);

  // image: N x 1 x D x H x W.
  GatedShares shares(const at::Tensor& image, std::size_t modality) const;
  // One of `given` per modality; an empty one is missing. mask: N x M, what a sample lacks is 0;
  // undefined: what is not empty is there. -> z_1 ... z_4.
  std::vector<at::Tensor> fuse(const std::vector<GatedShares>& given, const at::Tensor& mask) const;
  MaskDecoder::Output decode(const std::vector<at::Tensor>& fused) const;

  const std::vector<std::int64_t>& channels() const { return channels_; }

 protected:
  std::vector<std::int64_t> channels_;

 private:
  std::vector<std::shared_ptr<ModalityEncoder>> encoders_;
  std::vector<std::shared_ptr<ConvUnit>> gates_, fusions_;  // by level
  std::shared_ptr<MaskDecoder> decoder_;
};

}  // namespace lacuna::models

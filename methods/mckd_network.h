// The network of MCKD under the published names: one encoder that all modalities share, one decoder
// over their features side by side, and the raw importance weights.
//
// Rows of a batch: sample n, modality m -> n * M + m. A modality that a sample lacks is encoded as
// a zero image, once for the whole batch, since every such row is the same. Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "data/modality.h"
#include "models/residual_decoder.h"
#include "models/residual_encoder.h"

namespace lacuna::methods {

class MckdNetwork : public torch::nn::Module {
 public:
  MckdNetwork(int modalities, int outputs, double width);

  struct Features {
    at::Tensor bottleneck;            // N x M x C x d x h x w, before filling
    std::array<at::Tensor, 4> skips;  // N x M x c x ...
  };
  // image: N x M x D x H x W; what subsets[n] lacks counts as 0 whatever the image holds.
  Features encode(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets) const;
  // Bottleneck with every slot filled -> N x outputs x D x H x W, before the sigmoid.
  at::Tensor decode(const at::Tensor& bottleneck, const std::array<at::Tensor, 4>& skips) const;

  // Convolutions as published; importance weights U(0, 1). From torch's default generator.
  void initialise();

  models::ResidualEncoder& encoder() { return *encoder_; }
  models::ResidualDecoder& decoder() { return *decoder_; }
  at::Tensor raw_importance;  // M

 private:
  std::shared_ptr<models::ResidualEncoder> encoder_;
  std::shared_ptr<models::ResidualDecoder> decoder_;
};

}  // namespace lacuna::methods

// What the networks of ShaSpec and MCKD have in common, under the published names: one encoder that
// all modalities share (`shared_enc`) and one decoder over their features side by side
// (`shared_dec`). Any number of modalities. Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "data/types/modality.h"
#include "models/residual_decoder.h"
#include "models/residual_encoder.h"

namespace lacuna::models {

class SharedNetwork : public torch::nn::Module {
 public:
  SharedNetwork(int modalities, int outputs, double width);

  struct Features {
    at::Tensor bottleneck;            // N x M x C x d x h x w, before filling
    std::array<at::Tensor, 4> skips;  // N x M x c x ...
  };
  // image: N x M x D x H x W; what subsets[n] lacks counts as 0 whatever the image holds. Zero
  // images are encoded once for the whole batch.
  Features encode(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets) const;
  // Bottleneck with every slot filled -> N x outputs x D x H x W, before the sigmoid.
  at::Tensor decode(const at::Tensor& bottleneck, const std::array<at::Tensor, 4>& skips) const;

  // Weights as published, from torch's default generator.
  virtual void initialise();

  ResidualEncoder& encoder() const { return *encoder_; }
  ResidualDecoder& decoder() const { return *decoder_; }

 private:
  std::shared_ptr<ResidualEncoder> encoder_;
  std::shared_ptr<ResidualDecoder> decoder_;
};

}  // namespace lacuna::models

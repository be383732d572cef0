// A discriminator made of convolutions alone (the form of DCGAN's, Radford et al. 2016, without
// norms): leaky ReLU 0.2 between the layers, none after the last, whose one channel is a map of
// logits. Children "0", "2", "4", ...: the places of the convolutions in the published sequence,
// with the activations between them. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <torch/nn/module.h>

namespace lacuna::models {

class ConvDiscriminator : public torch::nn::Module {
 public:
  struct Layer {
    std::int64_t out;
    std::array<std::int64_t, 3> kernel;
    std::int64_t stride = 1;
    std::vector<std::int64_t> padding = {0, 0, 0};
  };

  ConvDiscriminator(std::int64_t in, const std::vector<Layer>& layers);

  at::Tensor forward(const at::Tensor& x) const;  // N x in x ... -> N x out x ..., logits
  void initialise();                              // PyTorch's default weights

  // Convolutions 4x4x4 of stride 2, which halve every extent; an axis that has come down to one
  // voxel stays there. `extent` becomes what is left.
  static std::vector<Layer> halving(const std::vector<std::int64_t>& widths,
                                    std::array<std::int64_t, 3>& extent);

 private:
  struct Conv {
    at::Tensor weight, bias;
    std::int64_t stride;
    std::vector<std::int64_t> padding;
  };
  std::vector<Conv> convs_;
};

}  // namespace lacuna::models

// A convolutional discriminator of whole feature maps (the form of DCGAN's, Radford et al. 2016,
// without norms): three convolutions 4x4x4 of stride 2 with leaky ReLU 0.2 between them, and one
// over what is left, so one logit per sample. Children "0", "2", "4", "6", as in the published
// sequence; 3,149,249 parameters for MST-KDNet's 128 channels of 20x24x16. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <torch/nn/module.h>

namespace lacuna::models {

class StyleDiscriminator : public torch::nn::Module {
 public:
  // extent: of the input; an axis that has come down to one voxel stays there.
  StyleDiscriminator(std::int64_t channels, const std::array<std::int64_t, 3>& extent,
                     double width);

  at::Tensor forward(const at::Tensor& x) const;  // N x 1 x 1 x 1 x 1, before the sigmoid
  void initialise();

 private:
  struct Layer {
    at::Tensor weight, bias;
    std::vector<std::int64_t> padding;
    std::int64_t stride;
  };
  void add(std::int64_t in, std::int64_t out, const std::array<std::int64_t, 3>& kernel,
           std::vector<std::int64_t> padding, std::int64_t stride);

  std::vector<Layer> layers_;
};

}  // namespace lacuna::models

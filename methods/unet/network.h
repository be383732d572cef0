// A plain 3-D U-Net: two convolutions per level, each followed by instance norm and leaky ReLU;
// down by a strided convolution, up by a transposed one, skips concatenated. The shape of nnU-Net's
// plain convolutional network (Isensee et al. 2021, "PlainConvUNet").
//
// Convolutions in front of a norm have no bias, which the norm would remove. Channels double from
// 32 to at most 320 (times width). Names: encoder<level>.<0|1>.{conv.weight,norm.*},
// up<level>.*, decoder<level>.<0|1>.*, head<level>.* with level 0 the finest. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/nn/module.h>

#include "models/instance_norm.h"

namespace lacuna::methods::unet {

struct Shape {
  std::int64_t in = 4, out = 3;
  std::int64_t levels = 6;  // resolutions, the input's included
  double width = 1;
  bool deep_supervision = false;  // heads at every decoder level but the two coarsest
};

// Convolution 3x3x3 without bias, instance norm, leaky ReLU.
class Conv : public torch::nn::Module {
 public:
  Conv(std::int64_t in, std::int64_t out, std::int64_t stride);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  std::int64_t stride_;
  std::shared_ptr<models::InstanceNorm> norm_;
};

class Network : public torch::nn::Module {
 public:
  explicit Network(const Shape& shape);

  // x: N x in x D x H x W, extents multiples of 2^(levels - 1). Result: logits at full resolution
  // first; with deep supervision also at 1/2, 1/4, ...
  std::vector<at::Tensor> forward(const at::Tensor& x) const;

  // Kaiming normal for a slope of 0.01, biases 0, norms 1 and 0.
  void initialise();

 private:
  using Level = std::vector<std::shared_ptr<Conv>>;

  // A convolution with bias: transposed 2x2x2 of stride 2, or 1x1x1.
  struct Plain {
    at::Tensor weight, bias;
  };
  Level make_level(const std::string& name, std::int64_t in, std::int64_t out, std::int64_t stride);
  Plain make_plain(const std::string& name, std::vector<std::int64_t> shape, std::int64_t out);

  std::vector<Level> encoder_, decoder_;  // [level]
  std::vector<Plain> up_, head_;          // [level]
};

}  // namespace lacuna::methods::unet

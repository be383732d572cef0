// One encoder of ShaSpec and MCKD (`*_enc` in the published names): backbone, reduction to the
// bottleneck width, pyramid pooling. 35,127,872 parameters at width 1 with one input channel.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "models/aspp.h"
#include "models/resnet_backbone.h"

namespace lacuna::models {

struct EncoderOutput {
  std::array<at::Tensor, 4> skips;  // L0..L3, N x backbone_channels(width)[i] x ...
  at::Tensor deepest;               // L4
  at::Tensor reduced;               // after asppreduce: N x bottleneck_channels(width) x ...
  at::Tensor global_mean;           // of `reduced` over voxels: N x ... x 1 x 1 x 1
  at::Tensor bottleneck;            // f: N x bottleneck_channels(width) x D/16 x H/32 x W/32
};

std::int64_t bottleneck_channels(double width);  // 256 at width 1

class ResidualEncoder : public torch::nn::Module {
 public:
  ResidualEncoder(std::int64_t in, double width);

  EncoderOutput forward(const at::Tensor& x) const;

  // The same in two steps: everything but the bottleneck, then the bottleneck from `reduced` and
  // `global_mean` (or some rows of both).
  EncoderOutput reduce(const at::Tensor& x) const;
  at::Tensor pool(const at::Tensor& reduced, const at::Tensor& global_mean) const;

 private:
  std::shared_ptr<ConvNorm> reduce_;
  std::shared_ptr<Aspp> aspp_;
  std::shared_ptr<ResnetBackbone> backbone_;
};

}  // namespace lacuna::models

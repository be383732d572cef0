// The 3-D ResNet-50-like backbone of ShaSpec and MCKD: a 7x7x7 stem with stride (1,2,2), a max pool
// and four stages of bottlenecks (3, 4, 6, 3 of 64, 128, 256, 320 planes at width 1).
//
// Input N x in x D x H x W; D a multiple of 16, H and W of 32. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/residual_blocks.h"

namespace lacuna::models {

// Channels of L0..L4 at a width: 64, 256, 512, 1024, 1280 at width 1.
std::array<std::int64_t, 5> backbone_channels(double width);

class ResnetBackbone : public torch::nn::Module {
 public:
  ResnetBackbone(std::int64_t in, double width);

  // L0..L4, at strides (1,2,2), (2,4,4), (4,8,8), (8,16,16), (16,32,32).
  std::array<at::Tensor, 5> forward(const at::Tensor& x) const;

 private:
  using Stage = std::vector<std::shared_ptr<Bottleneck>>;

  Stage make_stage(const std::string& name, int blocks, std::int64_t in, std::int64_t planes,
                   std::int64_t stride);

  std::shared_ptr<WeightStandardisedConv> conv1_;
  std::shared_ptr<InstanceNorm> norm1_;
  std::array<Stage, 4> stages_;
};

}  // namespace lacuna::models

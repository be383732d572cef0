// The decoder of ShaSpec and MCKD (`shared_dec`): four stages that double the resolution, add the
// reduced skip of all modalities and refine by a basic block, then a 1x1x1 classifier and a
// trilinear enlargement by (1,2,2). 8,528,800 parameters at width 1 with four modalities.
//
// A skip enters through a 1x1x1 convolution over the modalities' channels side by side
// (channel = modality * c + i). Being linear, it may be computed a modality at a time and summed:
// what evaluation over many subsets does. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/residual_blocks.h"

namespace lacuna::models {

class ResidualDecoder : public torch::nn::Module {
 public:
  ResidualDecoder(std::int64_t modalities, std::int64_t outputs, double width);

  // bottleneck: N x modalities * bottleneck_channels x d x h x w. skips: L0..L3 of the modalities
  // side by side. Result: N x outputs x 16d x 32h x 32w, before the sigmoid.
  at::Tensor forward(const at::Tensor& bottleneck, const std::array<at::Tensor, 4>& skips) const;

  // The same in steps, level 3 first.
  at::Tensor stage(int level, const at::Tensor& x, const at::Tensor& shortcut) const;
  at::Tensor shortcut(int level, const at::Tensor& skip) const;
  at::Tensor classify(const at::Tensor& x) const;

  // The skip of one modality through its columns of the standardised shortcut convolution, and the
  // shortcut from the sum over modalities.
  std::vector<at::Tensor> shortcut_weights(int level) const;  // a weight per modality
  at::Tensor shortcut_part(int level, const at::Tensor& skip, const at::Tensor& weight) const;
  at::Tensor shortcut_from_sum(int level, const at::Tensor& sum) const;

 private:
  std::int64_t modalities_;
  std::array<std::shared_ptr<ConvNorm>, 4> shortcuts_;
  std::array<at::Tensor, 4> up_;  // weights of the transposed convolutions, in x out x 2 x 2 x 2
  std::array<std::shared_ptr<BasicBlock>, 4> blocks_;
  at::Tensor classifier_;  // outputs x in x 1 x 1 x 1
};

}  // namespace lacuna::models

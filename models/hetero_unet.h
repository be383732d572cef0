// The parts of the hetero-modal U-Nets (U-HeMIS and U-HVED, Dorent et al., MICCAI 2019): an encoder
// per modality with features at four scales, and a decoder over what is fused at each scale.
//
// A unit is instance norm with scale and shift (epsilon 1e-6), leaky ReLU of slope 0.02, then a
// 3x3x3 convolution without bias; a block is two of them, without a residual. Names are those of
// the PyTorch port that the comparison vectors come from. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <torch/nn/module.h>

namespace lacuna::models {

inline constexpr int kHeteroLevels = 4;  // finest first, each half of the one before, rounded up

// 4, 8, 16, 32 at width 1: channels of one modality's features at each level in U-HeMIS, where the
// second convolution of a block halves the nominal width, and of a mean or a log variance in
// U-HVED, where it does not.
std::array<std::int64_t, kHeteroLevels> hetero_channels(double width);

class HeteroUnit : public torch::nn::Module {
 public:
  HeteroUnit(std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor scale_, shift_, kernel_;
};

// Children: conv1 (1x1x1, then the activation alone), e1_c1 ... e4_c2.
class HeteroEncoder : public torch::nn::Module {
 public:
  // halved: as in U-HeMIS, features have hetero_channels(); else twice as many.
  HeteroEncoder(double width, bool halved);
  // x: N x 1 x D x H x W -> raw convolution outputs of the four blocks; between them max pooling
  // that keeps an odd last slice.
  std::vector<at::Tensor> forward(const at::Tensor& x) const;

 private:
  at::Tensor first_;
  std::array<std::array<std::shared_ptr<HeteroUnit>, 2>, kHeteroLevels> blocks_;
};

// Children: d1_c1 ... d3_c2 (coarse to fine), conv_out.
class HeteroDecoder : public torch::nn::Module {
 public:
  // fused: channels of the fused features at each level, finest first.
  HeteroDecoder(const std::array<std::int64_t, kHeteroLevels>& fused, std::int64_t classes,
                double width);
  // Each level: [up-sampled, skip], then a block. N x classes x D x H x W, no activation.
  at::Tensor forward(const std::vector<at::Tensor>& fused) const;

 private:
  std::array<std::array<std::shared_ptr<HeteroUnit>, 2>, kHeteroLevels - 1> blocks_;
  at::Tensor last_;
};

// Linear up-sampling of the last three axes to `size` with source coordinate i n / size (no half
// voxel shift, corners not aligned), the last voxel repeated: 0, 1 -> 0, 0.5, 1, 1.
at::Tensor enlarge_unshifted(const at::Tensor& x, const std::array<std::int64_t, 3>& size);

// Truncated normal with sigma = sqrt(2 / fan_in), cut at two sigma, for every kernel; norms: scale
// 1, shift 0.
void initialise_truncated(torch::nn::Module& module);

}  // namespace lacuna::models

// 3-D convolutions with bias as PyTorch's nn.Conv3d and nn.ConvTranspose3d hold them: parameters
// `weight` and `bias`, 0 until initialise_fan_in() (models/initialisation.h). Not thread-safe.
#pragma once

#include "models/weight_standardised_conv.h"

namespace lacuna::models {

// What stands outside the image. kReflect mirrors it at its outermost voxels: (a, b, c) becomes
// (b, a, b, c, b); every extent must exceed the padding.
enum class Border { kZeros, kReflect };

class BiasedConv : public torch::nn::Module {
 public:
  explicit BiasedConv(const ConvShape& shape, Border border = Border::kZeros);

  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias;  // out x in x k x k x k; out

 private:
  ConvShape shape_;
  Border border_;
};

// Transposed, kernel 2 and stride 2: doubles every extent.
class UpConv : public torch::nn::Module {
 public:
  UpConv(std::int64_t in, std::int64_t out);

  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias;  // in x out x 2 x 2 x 2; out
};

}  // namespace lacuna::models

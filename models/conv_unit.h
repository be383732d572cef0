// A 3-D convolution with bias, instance normalisation without scale and shift, and a leaky ReLU:
// the unit of RFNet and of the networks that were built on it, in either order.
//
// Child: `conv`. Weights are 0 until initialise_kaiming(). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/biased_conv.h"

namespace lacuna::models {

// What the units of a network have in common.
struct UnitStyle {
  bool norm_first = false;  // norm, activation, convolution; else convolution, norm, activation
  Border border = Border::kReflect;  // of kernels larger than a voxel, which keep the extent
  double slope = 0.2;
  double epsilon = 1e-5;
};

class ConvUnit : public torch::nn::Module {
 public:
  ConvUnit(std::int64_t in, std::int64_t out, std::int64_t kernel, const UnitStyle& style,
           std::int64_t stride = 1);

  at::Tensor forward(const at::Tensor& x) const;

  // The norm and the activation alone.
  at::Tensor normalise(const at::Tensor& x) const;

  std::shared_ptr<BiasedConv> conv;

 private:
  UnitStyle style_;
};

// A plain convolution of kernel k with bias that keeps the extent.
std::shared_ptr<BiasedConv> plain_conv(std::int64_t in, std::int64_t out, std::int64_t kernel = 1,
                                       Border border = Border::kZeros);

// Trilinear, corners on corners: every extent times `factor`.
at::Tensor enlarge(const at::Tensor& x, std::int64_t factor = 2);

}  // namespace lacuna::models

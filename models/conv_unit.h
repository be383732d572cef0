// A 3-D convolution with bias, instance normalisation, and a leaky ReLU: the unit of RFNet and of
// the networks that were built on it, in either order, and of the gated networks before it.
//
// Children: `conv`, and `normalize` where the norm has scale and shift. Weights are 0 until they
// are initialised (models/initialisation.h). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "models/biased_conv.h"

namespace lacuna::models {

enum class UnitNorm { kPlain, kAffine, kNone };

// What the units of a network have in common.
struct UnitStyle {
  bool norm_first = false;  // norm, activation, convolution; else convolution, norm, activation
  Border border = Border::kReflect;  // of kernels larger than a voxel, which keep the extent
  double slope = 0.2;                // 1: no activation
  double epsilon = 1e-5;
  UnitNorm norm = UnitNorm::kPlain;
  bool nearest = false;  // decoders enlarge by repeating voxels; else trilinearly
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
  at::Tensor scale_, shift_;  // of the norm, or undefined
};

// A plain convolution of kernel k with bias that keeps the extent.
std::shared_ptr<BiasedConv> plain_conv(std::int64_t in, std::int64_t out, std::int64_t kernel = 1,
                                       Border border = Border::kZeros);

// Trilinear, corners on corners: every extent times `factor`.
at::Tensor enlarge(const at::Tensor& x, std::int64_t factor = 2);

// Every voxel eight times: extents are doubled.
at::Tensor enlarge_nearest(const at::Tensor& x);

}  // namespace lacuna::models

// The loops behind instance_norm.h, on raw memory. Internal to kernels/.
//
// "Planes": the voxels of one sample and channel are contiguous. "Channels last": the channels of
// one voxel are. Sums run over blocks of a fixed size and blocks are combined in order and in
// double, so results are independent of the number of threads.
#pragma once

#include <cstdint>

#include "kernels/simd.h"

namespace lacuna::kernels {

struct NormShape {
  std::int64_t samples = 0, channels = 0, voxels = 0;
  bool channels_last = false;
};

template <typename T>
struct NormForward {
  using Scalar = typename Simd<T>::Scalar;
  const T* input = nullptr;
  const T* residual = nullptr;     // or none
  const Scalar* weight = nullptr;  // C
  const Scalar* bias = nullptr;    // C
  Scalar eps = 0, slope = 1;
  T* output = nullptr;
  Scalar* mean = nullptr;         // N x C, written
  Scalar* inverse_std = nullptr;  // N x C, written
};

// With g = grad * act'(output) and h the normalised input:
//   grad_input = weight * inverse_std * (g - average(g) - h * average(g h)).
// h = (input - shift) * scale; without `input` (and residual), h = (act^-1(output) - shift) *
// scale.
template <typename T>
struct NormBackward {
  using Scalar = typename Simd<T>::Scalar;
  const T* grad = nullptr;
  const T* output = nullptr;
  const T* input = nullptr;        // or none
  const Scalar* shift = nullptr;   // N x C
  const Scalar* scale = nullptr;   // N x C
  const Scalar* factor = nullptr;  // N x C: weight * inverse_std
  Scalar slope = 1;
  T* grad_input = nullptr;
  T* grad_residual = nullptr;     // or none
  Scalar* grad_weight = nullptr;  // N x C, written: sums over voxels
  Scalar* grad_bias = nullptr;    // N x C, written
};

template <typename T>
void norm_forward_planes(const NormShape& shape, const NormForward<T>& work);
template <typename T>
void norm_backward_planes(const NormShape& shape, const NormBackward<T>& work);
template <typename T>
void norm_forward_channels_last(const NormShape& shape, const NormForward<T>& work);
template <typename T>
void norm_backward_channels_last(const NormShape& shape, const NormBackward<T>& work);

// Mean and sum of squared deviations of a growing set.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  void merge(double other_count, double other_mean, double other_squares) {
    const double total = count + other_count, delta = other_mean - mean;
    mean += delta * (other_count / total);
    squares += other_squares + delta * delta * (count * other_count / total);
    count = total;
  }
};

}  // namespace lacuna::kernels

// Instance normalisation of contiguous tensors: a thread takes a whole plane (one sample and
// channel), so the second pass over it finds most of it in the cache.
#include <algorithm>
#include <cmath>

#include <ATen/Parallel.h>

#include "kernels/instance_norm_cpu.h"

namespace lacuna::kernels {
namespace {

constexpr std::int64_t kBlock = 4096;  // elements; a block of floats is half of a 32 KiB L1
constexpr int kUnroll = 4;             // independent sums hide the latency of an addition

// Planes per task, so that a task touches at least 32K elements.
std::int64_t grain(const NormShape& shape) {
  return std::max<std::int64_t>(1, 32768 / shape.voxels);
}

// Calls body(lane, offset, count) over [0, size): count = kWidth for whole vectors, less at the
// end.
template <int kWidth, typename Body>
inline void sweep(std::int64_t size, Body&& body) {
  std::int64_t i = 0;
  for (; i + kUnroll * kWidth <= size; i += kUnroll * kWidth) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) body(u, i + u * kWidth, kWidth);
  }
  for (; i + kWidth <= size; i += kWidth) body(0, i, kWidth);
  if (i < size) body(0, i, static_cast<int>(size - i));
}

// Two passes per block while it is in the L1 cache. Deviations from the block's first element make
// the sums of a constant plane exact: its normalised values are exactly 0.
template <typename T>
Moments plane_moments(const T* plane, std::int64_t size) {
  using S = Simd<T>;
  using Scalar = typename S::Scalar;
  Moments moments;
  for (std::int64_t begin = 0; begin < size; begin += kBlock) {
    const T* x = plane + begin;
    const std::int64_t count = std::min(kBlock, size - begin);
    const Scalar first = static_cast<Scalar>(x[0]);
    typename S::Vector sums[kUnroll] = {}, squares[kUnroll] = {};
    sweep<S::kWidth>(
        count, [&](int u, std::int64_t i, int n) { sums[u] += fetch(x + i, n, first) - first; });
    const double offset = sum_lanes(sums[0] + sums[1] + sums[2] + sums[3]) / double(count);
    const double mean = double(first) + offset;
    const Scalar centre = static_cast<Scalar>(mean);
    sweep<S::kWidth>(count, [&](int u, std::int64_t i, int n) {
      const typename S::Vector d = fetch(x + i, n, centre) - centre;
      squares[u] += d * d;
    });
    // The squares are about the rounded centre; the exact identity takes the difference out again.
    const double rounding = mean - double(centre);
    const double about_centre = sum_lanes(squares[0] + squares[1] + squares[2] + squares[3]);
    moments.merge(double(count), mean,
                  std::max(0.0, about_centre - double(count) * rounding * rounding));
  }
  return moments;
}

template <typename T, bool kResidual>
void normalise_plane(const T* x, const T* residual, std::int64_t size,
                     typename Simd<T>::Scalar mean, typename Simd<T>::Scalar scale,
                     typename Simd<T>::Scalar bias, typename Simd<T>::Scalar slope, T* y) {
  using S = Simd<T>;
  sweep<S::kWidth>(size, [&](int, std::int64_t i, int n) {
    typename S::Vector z = (fetch(x + i, n, mean) - mean) * scale + bias;
    if constexpr (kResidual) z += fetch(residual + i, n, 0);
    put<T>(y + i, n, z > 0 ? z : z * slope);
  });
}

template <typename T>
struct PlaneGradient {
  using S = Simd<T>;
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;
  Scalar shift, scale, slope, inverse_slope;

  // g and h of one vector.
  template <bool kInput>
  void terms(const T* grad, const T* y, const T* x, int n, Vector& g, Vector& h) const {
    const Vector d = fetch(grad, n, 0), out = fetch(y, n, 0);
    g = out > 0 ? d : d * slope;
    if constexpr (kInput) {
      h = (fetch(x, n, shift) - shift) * scale;
    } else {
      h = ((out > 0 ? out : out * inverse_slope) - shift) * scale;
    }
  }

  template <bool kInput>
  void sums(const T* grad, const T* y, const T* x, std::int64_t size, double& sum_g,
            double& sum_gh) const {
    for (std::int64_t begin = 0; begin < size; begin += kBlock) {
      Vector a[kUnroll] = {}, b[kUnroll] = {};
      sweep<S::kWidth>(std::min(kBlock, size - begin), [&](int u, std::int64_t i, int n) {
        const std::int64_t at = begin + i;
        Vector g, h;
        terms<kInput>(grad + at, y + at, kInput ? x + at : x, n, g, h);
        a[u] += g;
        b[u] += g * h;
      });
      sum_g += sum_lanes(a[0] + a[1] + a[2] + a[3]);
      sum_gh += sum_lanes(b[0] + b[1] + b[2] + b[3]);
    }
  }

  template <bool kInput, bool kResidual>
  void apply(const T* grad, const T* y, const T* x, std::int64_t size, Scalar factor,
             Scalar average_g, Scalar average_gh, T* grad_input, T* grad_residual) const {
    sweep<S::kWidth>(size, [&](int, std::int64_t i, int n) {
      Vector g, h;
      terms<kInput>(grad + i, y + i, kInput ? x + i : x, n, g, h);
      put<T>(grad_input + i, n, (g - average_g - h * average_gh) * factor);
      if constexpr (kResidual) put<T>(grad_residual + i, n, g);
    });
  }
};

template <typename T, bool kInput, bool kResidual>
void backward_planes(const NormShape& shape, const NormBackward<T>& work) {
  using Scalar = typename Simd<T>::Scalar;
  const std::int64_t size = shape.voxels;
  at::parallel_for(0, shape.samples * shape.channels, grain(shape), [&](auto begin, auto end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const T* grad = work.grad + p * size;
      const T* y = work.output + p * size;
      const T* x = kInput ? work.input + p * size : nullptr;
      const PlaneGradient<T> gradient{work.shift[p], work.scale[p], work.slope, 1 / work.slope};
      double sum_g = 0, sum_gh = 0;
      gradient.template sums<kInput>(grad, y, x, size, sum_g, sum_gh);
      work.grad_bias[p] = static_cast<Scalar>(sum_g);
      work.grad_weight[p] = static_cast<Scalar>(sum_gh);
      gradient.template apply<kInput, kResidual>(
          grad, y, x, size, work.factor[p], static_cast<Scalar>(sum_g / double(size)),
          static_cast<Scalar>(sum_gh / double(size)), work.grad_input + p * size,
          kResidual ? work.grad_residual + p * size : nullptr);
    }
  });
}

}  // namespace

template <typename T>
void norm_forward_planes(const NormShape& shape, const NormForward<T>& work) {
  using Scalar = typename Simd<T>::Scalar;
  const std::int64_t size = shape.voxels;
  at::parallel_for(0, shape.samples * shape.channels, grain(shape), [&](auto begin, auto end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t c = p % shape.channels;
      const Moments moments = plane_moments(work.input + p * size, size);
      const double variance = moments.squares / moments.count;
      const Scalar mean = static_cast<Scalar>(moments.mean);
      const Scalar inverse = static_cast<Scalar>(1 / std::sqrt(variance + double(work.eps)));
      work.mean[p] = mean;
      work.inverse_std[p] = inverse;
      const auto normalise = work.residual ? normalise_plane<T, true> : normalise_plane<T, false>;
      normalise(work.input + p * size, work.residual ? work.residual + p * size : nullptr, size,
                mean, inverse * work.weight[c], work.bias[c], work.slope, work.output + p * size);
    }
  });
}

template <typename T>
void norm_backward_planes(const NormShape& shape, const NormBackward<T>& work) {
  if (work.grad_residual) return backward_planes<T, true, true>(shape, work);
  if (work.input) return backward_planes<T, true, false>(shape, work);
  backward_planes<T, false, false>(shape, work);
}

#define LACUNA_INSTANTIATE(T)                                                    \
  template void norm_forward_planes<T>(const NormShape&, const NormForward<T>&); \
  template void norm_backward_planes<T>(const NormShape&, const NormBackward<T>&);
LACUNA_INSTANTIATE(float)
LACUNA_INSTANTIATE(double)
LACUNA_INSTANTIATE(c10::BFloat16)

}  // namespace lacuna::kernels

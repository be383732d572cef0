// Instance normalisation of channels-last tensors: voxels are split into chunks of a fixed size,
// whose partial sums are combined in order; a second pass over the voxels applies the result.
#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/Parallel.h>

#include "kernels/instance_norm_cpu.h"

namespace lacuna::kernels {
namespace {

constexpr int kUnroll = 4;  // voxels summed side by side hide the latency of an addition

// A block is summed channel by channel while it is in the cache; a chunk is a task.
struct Split {
  std::int64_t block, chunk, chunks;

  explicit Split(const NormShape& shape)
      : block(std::clamp<std::int64_t>(8192 / shape.channels, 32, 1024)),
        chunk(block * std::max<std::int64_t>(1, 131072 / (block * shape.channels))),
        chunks((shape.voxels + chunk - 1) / chunk) {}
};

// Calls body(channel, count) for each vector of channels; only the last may be short.
template <int kWidth, typename Body>
inline void each_channels(std::int64_t channels, Body&& body) {
  std::int64_t c = 0;
  for (; c + kWidth <= channels; c += kWidth) body(c, kWidth);
  if (c < channels) body(c, static_cast<int>(channels - c));
}

// Calls body(lane, voxel) over [0, voxels).
template <typename Body>
inline void each_voxel(std::int64_t voxels, Body&& body) {
  std::int64_t v = 0;
  for (; v + kUnroll <= voxels; v += kUnroll) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) body(u, v + u);
  }
  for (; v < voxels; ++v) body(0, v);
}

// Deviations from the block's first voxel make the sums of a constant channel exact.
template <typename T>
void block_moments(const T* x, std::int64_t voxels, std::int64_t channels, Moments* moments) {
  using S = Simd<T>;
  using Vector = typename S::Vector;
  each_channels<S::kWidth>(channels, [&](std::int64_t c, int n) {
    const T* from = x + c;
    const Vector first = fetch(from, n, 0);
    Vector sums[kUnroll] = {}, squares[kUnroll] = {};
    each_voxel(voxels,
               [&](int u, std::int64_t v) { sums[u] += fetch(from + v * channels, n, 0) - first; });
    const Vector centre =
        first + (sums[0] + sums[1] + sums[2] + sums[3]) / static_cast<typename S::Scalar>(voxels);
    each_voxel(voxels, [&](int u, std::int64_t v) {
      const Vector d = fetch(from + v * channels, n, 0) - centre;
      squares[u] += d * d;
    });
    const Vector about_centre = squares[0] + squares[1] + squares[2] + squares[3];
    for (int k = 0; k < n; ++k) moments[c + k].merge(double(voxels), centre[k], about_centre[k]);
  });
}

template <typename T, bool kResidual>
void normalise(const NormShape& shape, const NormForward<T>& work,
               const typename Simd<T>::Scalar* scale) {
  using S = Simd<T>;
  using Vector = typename S::Vector;
  const std::int64_t channels = shape.channels;
  const std::int64_t grain = std::max<std::int64_t>(1, 32768 / channels);
  at::parallel_for(0, shape.samples * shape.voxels, grain, [&](auto begin, auto end) {
    for (std::int64_t v = begin; v < end; ++v) {
      const std::int64_t row = v / shape.voxels * channels, at = v * channels;
      each_channels<S::kWidth>(channels, [&](std::int64_t c, int n) {
        const Vector x = fetch(work.input + at + c, n, 0);
        Vector z = (x - fetch(work.mean + row + c, n, 0)) * fetch(scale + row + c, n, 0) +
                   fetch(work.bias + c, n, 0);
        if constexpr (kResidual) z += fetch(work.residual + at + c, n, 0);
        put<T>(work.output + at + c, n, z > 0 ? z : z * work.slope);
      });
    }
  });
}

// g and h (see NormBackward) of one vector of channels at one voxel.
template <typename T, bool kInput>
inline void terms(const NormBackward<T>& work, std::int64_t at, int n,
                  typename Simd<T>::Vector shift, typename Simd<T>::Vector scale,
                  typename Simd<T>::Scalar inverse_slope, typename Simd<T>::Vector& g,
                  typename Simd<T>::Vector& h) {
  const auto d = fetch(work.grad + at, n, 0), out = fetch(work.output + at, n, 0);
  g = out > 0 ? d : d * work.slope;
  if constexpr (kInput) {
    h = (fetch(work.input + at, n, 0) - shift) * scale;
  } else {
    h = ((out > 0 ? out : out * inverse_slope) - shift) * scale;
  }
}

template <typename T, bool kInput, bool kResidual>
void backward(const NormShape& shape, const NormBackward<T>& work) {
  using S = Simd<T>;
  using Scalar = typename S::Scalar;
  using Vector = typename S::Vector;
  const Split split(shape);
  const std::int64_t channels = shape.channels;
  const Scalar inverse_slope = 1 / work.slope;

  struct Sums {
    double g = 0, gh = 0;
  };
  std::vector<Sums> partial(shape.samples * split.chunks * channels);
  at::parallel_for(0, shape.samples * split.chunks, 1, [&](auto begin, auto end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t sample = k / split.chunks, first = k % split.chunks * split.chunk;
      const std::int64_t last = std::min(first + split.chunk, shape.voxels);
      for (std::int64_t b = first; b < last; b += split.block) {
        const std::int64_t corner = (sample * shape.voxels + b) * channels;
        each_channels<S::kWidth>(channels, [&](std::int64_t c, int n) {
          const Vector shift = fetch(work.shift + sample * channels + c, n, 0);
          const Vector scale = fetch(work.scale + sample * channels + c, n, 0);
          Vector sum_g[kUnroll] = {}, sum_gh[kUnroll] = {};
          each_voxel(std::min(split.block, last - b), [&](int u, std::int64_t v) {
            Vector g, h;
            terms<T, kInput>(work, corner + v * channels + c, n, shift, scale, inverse_slope, g, h);
            sum_g[u] += g;
            sum_gh[u] += g * h;
          });
          const Vector a = sum_g[0] + sum_g[1] + sum_g[2] + sum_g[3];
          const Vector d = sum_gh[0] + sum_gh[1] + sum_gh[2] + sum_gh[3];
          for (int i = 0; i < n; ++i) {
            partial[k * channels + c + i].g += a[i];
            partial[k * channels + c + i].gh += d[i];
          }
        });
      }
    }
  });

  std::vector<Scalar> average_g(shape.samples * channels), average_gh(shape.samples * channels);
  for (std::int64_t row = 0; row < shape.samples * channels; ++row) {
    Sums sums;
    for (std::int64_t k = 0; k < split.chunks; ++k) {
      const Sums& part = partial[(row / channels * split.chunks + k) * channels + row % channels];
      sums.g += part.g;
      sums.gh += part.gh;
    }
    work.grad_bias[row] = static_cast<Scalar>(sums.g);
    work.grad_weight[row] = static_cast<Scalar>(sums.gh);
    average_g[row] = static_cast<Scalar>(sums.g / double(shape.voxels));
    average_gh[row] = static_cast<Scalar>(sums.gh / double(shape.voxels));
  }

  const std::int64_t grain = std::max<std::int64_t>(1, 32768 / channels);
  at::parallel_for(0, shape.samples * shape.voxels, grain, [&](auto begin, auto end) {
    for (std::int64_t v = begin; v < end; ++v) {
      const std::int64_t row = v / shape.voxels * channels, at = v * channels;
      each_channels<S::kWidth>(channels, [&](std::int64_t c, int n) {
        Vector g, h;
        terms<T, kInput>(work, at + c, n, fetch(work.shift + row + c, n, 0),
                         fetch(work.scale + row + c, n, 0), inverse_slope, g, h);
        put<T>(work.grad_input + at + c, n,
               (g - fetch(average_g.data() + row + c, n, 0) -
                h * fetch(average_gh.data() + row + c, n, 0)) *
                   fetch(work.factor + row + c, n, 0));
        if constexpr (kResidual) put<T>(work.grad_residual + at + c, n, g);
      });
    }
  });
}

}  // namespace

template <typename T>
void norm_forward_channels_last(const NormShape& shape, const NormForward<T>& work) {
  using Scalar = typename Simd<T>::Scalar;
  const Split split(shape);
  const std::int64_t channels = shape.channels;
  std::vector<Moments> partial(shape.samples * split.chunks * channels);
  at::parallel_for(0, shape.samples * split.chunks, 1, [&](auto begin, auto end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t sample = k / split.chunks, first = k % split.chunks * split.chunk;
      const std::int64_t last = std::min(first + split.chunk, shape.voxels);
      for (std::int64_t b = first; b < last; b += split.block) {
        block_moments(work.input + (sample * shape.voxels + b) * channels,
                      std::min(split.block, last - b), channels, &partial[k * channels]);
      }
    }
  });

  std::vector<Scalar> scale(shape.samples * channels);
  for (std::int64_t row = 0; row < shape.samples * channels; ++row) {
    Moments moments;
    for (std::int64_t k = 0; k < split.chunks; ++k) {
      const Moments& part =
          partial[(row / channels * split.chunks + k) * channels + row % channels];
      moments.merge(part.count, part.mean, part.squares);
    }
    const double variance = moments.squares / moments.count;
    work.mean[row] = static_cast<Scalar>(moments.mean);
    work.inverse_std[row] = static_cast<Scalar>(1 / std::sqrt(variance + double(work.eps)));
    scale[row] = work.inverse_std[row] * work.weight[row % channels];
  }
  work.residual ? normalise<T, true>(shape, work, scale.data())
                : normalise<T, false>(shape, work, scale.data());
}

template <typename T>
void norm_backward_channels_last(const NormShape& shape, const NormBackward<T>& work) {
  if (work.grad_residual) return backward<T, true, true>(shape, work);
  if (work.input) return backward<T, true, false>(shape, work);
  backward<T, false, false>(shape, work);
}

#define LACUNA_INSTANTIATE(T)                                                           \
  template void norm_forward_channels_last<T>(const NormShape&, const NormForward<T>&); \
  template void norm_backward_channels_last<T>(const NormShape&, const NormBackward<T>&);
LACUNA_INSTANTIATE(float)
LACUNA_INSTANTIATE(double)
LACUNA_INSTANTIATE(c10::BFloat16)

}  // namespace lacuna::kernels

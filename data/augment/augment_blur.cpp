#include "data/augment/augment_blur.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lacuna::data {
namespace {

std::int64_t reflect(std::int64_t i, std::int64_t n) {
  const std::int64_t period = 2 * n;
  i = (i % period + period) % period;
  return i < n ? i : period - 1 - i;
}

// out = sum_k kernel[k] * rows[k], over `count` elements, in blocks that stay in registers and the
// first-level cache.
void combine_rows(const std::vector<const float*>& rows, const std::vector<float>& kernel,
                  float* __restrict out, std::size_t count) {
  constexpr std::size_t kBlock = 256;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = std::min(kBlock, count - begin);
    float sum[kBlock] = {};
    for (std::size_t k = 0; k < kernel.size(); ++k) {
      const float* row = rows[k] + begin;
      const float weight = kernel[k];
      for (std::size_t i = 0; i < size; ++i) sum[i] += weight * row[i];
    }
    std::copy(sum, sum + size, out + begin);
  }
}

}  // namespace

std::vector<double> gaussian_kernel(double sigma) {
  const auto radius = static_cast<int>(4 * sigma + 0.5);
  std::vector<double> weights;
  double sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    weights.push_back(std::exp(-0.5 * k * k / (sigma * sigma)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Slices are filtered in the plane one after the other into a ring that holds what the filter along
// D still needs, so the volume is read once and written once.
void gaussian_blur(float* volume, const Extent& extent, double sigma, std::vector<float>& scratch) {
  const std::vector<double> weights = gaussian_kernel(sigma);
  const std::vector<float> kernel(weights.begin(), weights.end());
  const auto radius = static_cast<std::int64_t>(kernel.size() / 2);
  const std::int64_t depth = extent[0], height = extent[1], width = extent[2];
  const auto plane = static_cast<std::size_t>(height * width);
  const auto row_size = static_cast<std::size_t>(width);
  const std::int64_t slots = std::min<std::int64_t>(2 * radius + 1, depth);
  const auto padded = static_cast<std::size_t>(width + 2 * radius);
  scratch.resize(static_cast<std::size_t>(slots) * plane + padded);
  float* padded_row = scratch.data() + static_cast<std::size_t>(slots) * plane;
  const auto slot = [&](std::int64_t d) {
    return scratch.data() + static_cast<std::size_t>(d % slots) * plane;
  };
  std::vector<const float*> rows(kernel.size());

  const auto filter_plane = [&](std::int64_t d) {
    const float* in = volume + static_cast<std::size_t>(d) * plane;
    for (std::int64_t h = 0; h < height; ++h) {
      for (std::int64_t k = -radius; k <= radius; ++k) {
        rows[static_cast<std::size_t>(k + radius)] = in + reflect(h + k, height) * width;
      }
      combine_rows(rows, kernel, padded_row + radius, row_size);
      for (std::int64_t k = 1; k <= radius; ++k) {
        padded_row[radius - k] = padded_row[radius + reflect(-k, width)];
        padded_row[radius + width - 1 + k] = padded_row[radius + reflect(width - 1 + k, width)];
      }
      for (std::size_t k = 0; k < rows.size(); ++k) rows[k] = padded_row + k;
      combine_rows(rows, kernel, slot(d) + h * width, row_size);
    }
  };

  std::int64_t filtered = 0;
  for (std::int64_t d = 0; d < depth; ++d) {
    for (; filtered < depth && filtered <= d + radius; ++filtered) filter_plane(filtered);
    for (std::int64_t k = -radius; k <= radius; ++k) {
      rows[static_cast<std::size_t>(k + radius)] = slot(reflect(d + k, depth));
    }
    combine_rows(rows, kernel, volume + static_cast<std::size_t>(d) * plane, plane);
  }
}

}  // namespace lacuna::data

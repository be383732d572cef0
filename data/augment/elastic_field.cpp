#include "data/augment/elastic_field.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "data/augment/augment_blur.h"

namespace lacuna::data {
namespace {

constexpr std::int64_t kSpacing = 4;

double sum_of_squares(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

// Filters the middle axis of outer x n x inner, with zeros beyond the ends.
std::vector<float> filter(const std::vector<float>& in, std::int64_t outer, std::int64_t n,
                          std::int64_t inner, const std::vector<double>& kernel) {
  std::vector<float> out(in.size(), 0.0f);
  const auto radius = static_cast<std::int64_t>(kernel.size() / 2);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < n; ++i) {
      float* to = out.data() + (o * n + i) * inner;
      for (std::int64_t k = std::max<std::int64_t>(0, i - radius); k <= std::min(n - 1, i + radius);
           ++k) {
        const auto weight = static_cast<float>(kernel[static_cast<std::size_t>(k - i + radius)]);
        const float* from = in.data() + (o * n + k) * inner;
        for (std::int64_t j = 0; j < inner; ++j) to[j] += weight * from[j];
      }
    }
  }
  return out;
}

}  // namespace

ElasticField::ElasticField(const Extent& patch, double alpha, double sigma, const FieldKey& key)
    : patch_(patch) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    grid_[axis] = (patch[axis] + kSpacing - 2) / kSpacing + 1;  // the last node at or after the end
  }
  const std::vector<double> coarse = gaussian_kernel(sigma / kSpacing);
  // Uniform (-1, 1) noise has variance 1/3; filtering multiplies it by the sum of squared weights
  // along each axis.
  const double amplitude =
      alpha *
      std::sqrt(std::pow(sum_of_squares(gaussian_kernel(sigma)) / sum_of_squares(coarse), 3) / 3);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::vector<float> noise(static_cast<std::size_t>(grid_[0] * grid_[1] * grid_[2]), 0.0f);
    FieldKey own = key;
    own.sub += static_cast<std::uint32_t>(axis);
    add_normal_field(own, static_cast<float>(amplitude), noise.data(), noise.size());
    noise = filter(noise, 1, grid_[0], grid_[1] * grid_[2], coarse);
    noise = filter(noise, grid_[0], grid_[1], grid_[2], coarse);
    nodes_[axis] = filter(noise, grid_[0] * grid_[1], grid_[2], 1, coarse);
  }
}

void ElasticField::row(std::int64_t d, std::int64_t h, std::array<float*, 3> displacement) const {
  const auto place = [](std::int64_t i, std::int64_t n) {
    const std::int64_t node = std::min(i / kSpacing, std::max<std::int64_t>(n - 2, 0));
    return std::pair(node, static_cast<float>(i - node * kSpacing) / kSpacing);
  };
  const auto [d0, td] = place(d, grid_[0]);
  const auto [h0, th] = place(h, grid_[1]);
  const std::int64_t d1 = std::min(d0 + 1, grid_[0] - 1), h1 = std::min(h0 + 1, grid_[1] - 1);
  std::vector<float> line(static_cast<std::size_t>(grid_[2] + 1));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto at = [&](std::int64_t z, std::int64_t y) {
      return nodes_[axis].data() + (z * grid_[1] + y) * grid_[2];
    };
    const float *a = at(d0, h0), *b = at(d0, h1), *c = at(d1, h0), *e = at(d1, h1);
    for (std::int64_t w = 0; w < grid_[2]; ++w) {
      const float near = a[w] + th * (b[w] - a[w]), far = c[w] + th * (e[w] - c[w]);
      line[static_cast<std::size_t>(w)] = near + td * (far - near);
    }
    line.back() = line[static_cast<std::size_t>(grid_[2] - 1)];
    float* out = displacement[axis];
    for (std::int64_t begin = 0; begin < patch_[2]; begin += kSpacing) {
      const float left = line[static_cast<std::size_t>(begin / kSpacing)];
      const float step = (line[static_cast<std::size_t>(begin / kSpacing) + 1] - left) / kSpacing;
      const std::int64_t end = std::min(begin + kSpacing, patch_[2]);
      for (std::int64_t w = begin; w < end; ++w) {
        out[w] = left + step * static_cast<float>(w - begin);
      }
    }
  }
}

}  // namespace lacuna::data

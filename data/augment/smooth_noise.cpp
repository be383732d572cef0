#include "data/augment/smooth_noise.h"

#include <algorithm>
#include <cmath>

#include "data/augment/bspline.h"

namespace lacuna::data {

SmoothNoise::SmoothNoise(const FieldKey& key, const Extent& extent,
                         std::array<double, 3> spacing_voxels) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double spacing = std::max(1.5, spacing_voxels[axis]);
    for (std::int64_t voxel = 0; voxel < extent[axis]; ++voxel) {
      const double position = static_cast<double>(voxel) / spacing;
      const double floor = std::floor(position);
      taps_[axis].push_back({static_cast<std::int64_t>(floor),
                             bspline_weights(static_cast<float>(position - floor))});
    }
    size_[axis] = taps_[axis].back().first + 4;
  }
  coefficients_.assign(static_cast<std::size_t>(size_[0] * size_[1] * size_[2]), 0);
  // The squared weights of one axis sum to 0.46 .. 0.5, hence 0.33 as deviation over three axes.
  add_normal_field(key, 3, coefficients_.data(), coefficients_.size());
}

void SmoothNoise::row(std::int64_t d, std::int64_t h, std::int64_t begin,
                      std::span<float> out) const {
  const Taps& depth = taps_[0][static_cast<std::size_t>(d)];
  const Taps& height = taps_[1][static_cast<std::size_t>(h)];
  // Along the row only four coefficients vary: the sixteen lines around it become one.
  std::vector<float> line(static_cast<std::size_t>(size_[2]), 0);
  for (std::size_t a = 0; a < 4; ++a) {
    for (std::size_t b = 0; b < 4; ++b) {
      const float weight = depth.weights[a] * height.weights[b];
      const std::int64_t plane = depth.first + static_cast<std::int64_t>(a);
      const std::int64_t start =
          (plane * size_[1] + height.first + static_cast<std::int64_t>(b)) * size_[2];
      const float* from = coefficients_.data() + start;
      for (std::size_t i = 0; i < line.size(); ++i) line[i] += weight * from[i];
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Taps& width = taps_[2][static_cast<std::size_t>(begin) + i];
    const float* from = line.data() + width.first;
    out[i] = width.weights[0] * from[0] + width.weights[1] * from[1] + width.weights[2] * from[2] +
             width.weights[3] * from[3];
  }
}

}  // namespace lacuna::data

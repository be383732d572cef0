#include "data/augment/augment_spatial.h"

#include <cmath>
#include <cstddef>

namespace lacuna::data {
namespace {

using Matrix = std::array<std::array<double, 3>, 3>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) out[i][j] += a[i][k] * b[k][j];
    }
  }
  return out;
}

// Transposed product of the rotations about D, H and W.
Matrix rotation(const std::array<double, 3>& radians) {
  const auto [a, b, c] = radians;
  const Matrix about_d{{{1, 0, 0}, {0, std::cos(a), -std::sin(a)}, {0, std::sin(a), std::cos(a)}}};
  const Matrix about_h{{{std::cos(b), 0, std::sin(b)}, {0, 1, 0}, {-std::sin(b), 0, std::cos(b)}}};
  const Matrix about_w{{{std::cos(c), -std::sin(c), 0}, {std::sin(c), std::cos(c), 0}, {0, 0, 1}}};
  const Matrix all = product(product(about_d, about_h), about_w);
  Matrix out{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) out[i][j] = all[j][i];
  }
  return out;
}

// scipy.ndimage.rotate(x, angle, axes=(a, b)) with a < b reads the voxel (i_a, i_b), counted from
// the centre, at (c i_a + s i_b, -s i_a + c i_b).
Matrix plane_turn(std::size_t axis, double radians) {
  const std::size_t a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
  Matrix turn{};
  turn[axis][axis] = 1;
  turn[a][a] = turn[b][b] = std::cos(radians);
  turn[a][b] = std::sin(radians);
  turn[b][a] = -std::sin(radians);
  return turn;
}

}  // namespace

SamplingMap spatial_map(const SpatialChange& change, const Extent& patch, const Extent& crop,
                        const ElasticField* field) {
  SamplingMap map;
  map.field = field;
  map.matrix = rotation(change.radians);
  if (change.turn_radians != 0) {
    map.matrix = product(map.matrix, plane_turn(change.turn_axis, change.turn_radians));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const double ratio = static_cast<double>(crop[i]) / static_cast<double>(patch[i]);
    const double centre = static_cast<double>(patch[i] - 1) / 2;
    map.offset[i] = ratio * (centre + 0.5) - 0.5;
    for (std::size_t j = 0; j < 3; ++j) {
      map.matrix[i][j] *= ratio * change.zoom;
      map.offset[i] -= map.matrix[i][j] * static_cast<double>(patch[j] - 1) / 2;
    }
  }
  return map;
}

}  // namespace lacuna::data

#include "data/nifti/regrid.h"

#include <algorithm>
#include <cmath>

namespace lacuna::data {
namespace {

// Position of voxel x of a new axis on the old one: faces coincide.
double position(std::int64_t x, std::int64_t from, std::int64_t to) {
  return (static_cast<double>(x) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
}

// One axis with `outer` extents before and `inner` behind it.
std::vector<float> along(const std::vector<float>& in, std::int64_t outer, std::int64_t from,
                         std::int64_t to, std::int64_t inner) {
  std::vector<float> out(static_cast<std::size_t>(outer * to * inner));
  for (std::int64_t x = 0; x < to; ++x) {
    const double at = std::clamp(position(x, from, to), 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<std::int64_t>(at);
    const std::int64_t high = std::min(low + 1, from - 1);
    const auto share = static_cast<float>(at - static_cast<double>(low));
    for (std::int64_t o = 0; o < outer; ++o) {
      const float *a = in.data() + (o * from + low) * inner,
                  *b = in.data() + (o * from + high) * inner;
      float* to_row = out.data() + (o * to + x) * inner;
      for (std::int64_t i = 0; i < inner; ++i) to_row[i] = a[i] + share * (b[i] - a[i]);
    }
  }
  return out;
}

std::int64_t nearest(std::int64_t x, std::int64_t from, std::int64_t to) {
  const auto at = static_cast<std::int64_t>(std::floor(position(x, from, to) + 0.5));
  return std::clamp<std::int64_t>(at, 0, from - 1);
}

}  // namespace

std::int64_t regridded(std::int64_t voxels, double spacing, double wanted) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(voxels) * spacing / wanted));
}

std::vector<float> regrid(const std::vector<float>& volume, const Extent& from, const Extent& to) {
  std::vector<float> result = volume;
  if (from[0] != to[0]) result = along(result, 1, from[0], to[0], from[1] * from[2]);
  if (from[1] != to[1]) result = along(result, to[0], from[1], to[1], from[2]);
  if (from[2] != to[2]) result = along(result, to[0] * to[1], from[2], to[2], 1);
  return result;
}

std::vector<std::uint8_t> regrid_label(const std::vector<std::uint8_t>& label, const Extent& from,
                                       const Extent& to) {
  std::vector<std::uint8_t> result;
  result.reserve(static_cast<std::size_t>(to[0] * to[1] * to[2]));
  for (std::int64_t d = 0; d < to[0]; ++d) {
    for (std::int64_t h = 0; h < to[1]; ++h) {
      const std::uint8_t* row =
          label.data() +
          (nearest(d, from[0], to[0]) * from[1] + nearest(h, from[1], to[1])) * from[2];
      for (std::int64_t w = 0; w < to[2]; ++w) result.push_back(row[nearest(w, from[2], to[2])]);
    }
  }
  return result;
}

Affine regridded(const Affine& affine, const std::array<std::int64_t, 3>& from,
                 const std::array<std::int64_t, 3>& to) {
  Affine result = affine;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      result[row][axis] *= static_cast<double>(from[axis]) / static_cast<double>(to[axis]);
      result[row][3] += affine[row][axis] * position(0, from[axis], to[axis]);
    }
  }
  return result;
}

}  // namespace lacuna::data

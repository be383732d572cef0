// Smooth random fields on the voxels of a volume: a cubic B-spline through independent N(0, 1)
// coefficients, scaled to about unit variance. The spacing of the coefficients sets how far things
// look alike. A pure function of its key. Immutable; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/augment/normal_field.h"
#include "data/types/extent.h"

namespace lacuna::data {

class SmoothNoise {
 public:
  // `spacing_voxels`: distance of coefficients along D, H, W; at least 1.5 is used.
  SmoothNoise(const FieldKey& key, const Extent& extent, std::array<double, 3> spacing_voxels);

  // The values at voxels (d, h, begin .. begin + out.size()).
  void row(std::int64_t d, std::int64_t h, std::int64_t begin, std::span<float> out) const;

 private:
  struct Taps {
    std::int64_t first = 0;  // of four coefficients
    std::array<float, 4> weights{};
  };
  std::array<std::vector<Taps>, 3> taps_;  // per axis and voxel
  std::array<std::int64_t, 3> size_{};     // coefficients
  std::vector<float> coefficients_;
};

}  // namespace lacuna::data

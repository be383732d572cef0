// Small label volumes and masks for the tests of this layer, from a counter-based stream.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "base/random.h"
#include "evaluation/volumes/mask.h"

namespace lacuna::evaluation {

inline Mask mask_of(const Extent& extent, const std::vector<std::uint8_t>& voxels) {
  return region_masks(voxels, extent, {{"any", 0b1110}}).front();
}

// Voxels that are set with the given probability.
inline std::vector<std::uint8_t> random_voxels(const Extent& extent, double density,
                                               std::uint64_t seed) {
  Stream stream(seed, Purpose::kTest, 0);
  std::vector<std::uint8_t> voxels(static_cast<std::size_t>(extent[0] * extent[1] * extent[2]));
  for (auto& voxel : voxels) voxel = stream.chance(density) ? 1 : 0;
  return voxels;
}

}  // namespace lacuna::evaluation

// The space of a phantom head: voxels to anatomical mm, and named random fields.
//
// Anatomical mm are those of a full-size head (155 x 240 x 240 voxels of 1 mm) about the centre of
// the volume; in a smaller volume the same head is drawn smaller. Axes in D, H, W: z up, x across,
// y to the back. A value; thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/random.h"
#include "data/augment/smooth_noise.h"
#include "data/cache/cohort.h"

namespace lacuna::data {

struct Point {
  float z = 0, x = 0, y = 0;
};

// What a random field of a case is for. Phantoms depend on the values: do not renumber.
enum class PhantomField : std::uint32_t {
  kShape = 1,  // single numbers: sizes, positions
  kWarpZ = 2,
  kWarpX = 3,
  kWarpY = 4,
  kFolds = 5,
  kFineFolds = 6,
  kLesions = 7,
  kVesselA = 8,
  kVesselB = 9,
  kTexture = 10,
  kTumourCoarse = 11,
  kTumourFine = 12,
  kTumour = 13,
  kContrast = 14,
  kInstitution = 15,
  kMissing = 16,
  kBias = 32,    // + modality
  kNoise = 256,  // + 8 * slice + 2 * modality + component
};

struct PhantomSpace {
  Extent extent{};
  std::uint64_t seed = 1, number = 0;  // of the case

  static constexpr std::array<double, 3> kFullSize{155, 240, 240};

  double mm_per_voxel(std::size_t axis) const {
    return kFullSize[axis] / static_cast<double>(extent[axis]);
  }
  float mm(std::size_t axis, std::int64_t voxel) const {
    return static_cast<float>(
        (static_cast<double>(voxel) - static_cast<double>(extent[axis] - 1) / 2) *
        mm_per_voxel(axis));
  }
  Stream stream(PhantomField field) const {
    return Stream(seed, Purpose::kPhantom, number, static_cast<std::uint32_t>(field));
  }
  FieldKey key(PhantomField field, std::uint32_t offset = 0) const {
    return {seed, Purpose::kPhantom, number, static_cast<std::uint32_t>(field) + offset};
  }
  // A smooth field whose coefficients are `spacing_mm` (anatomical) apart.
  SmoothNoise noise(PhantomField field, double spacing_mm, std::uint32_t offset = 0) const {
    return SmoothNoise(
        key(field, offset), extent,
        {spacing_mm / mm_per_voxel(0), spacing_mm / mm_per_voxel(1), spacing_mm / mm_per_voxel(2)});
  }
};

// 0 below `low`, 1 above `high`, smooth between: the partial volume of a boundary.
inline float ramp(float low, float high, float value) {
  const float t = std::clamp((value - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

}  // namespace lacuna::data

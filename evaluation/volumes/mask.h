// A binary volume, one bit per voxel: what Dice and surface distances are computed from.
//
// Voxel (d, h, w) is bit w mod 64 of word w / 64 of row (d, h); rows start at a whole word and the
// bits beyond the row's end are 0. A BraTS volume is 1.2 MB, so masks cover the full grid and
// whole-volume logic costs less than bookkeeping of crops. Value type.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/cache/cohort.h"

namespace lacuna::evaluation {

using data::Extent;

inline constexpr std::int64_t kWordBits = 64;  // voxels per word

// Voxels [corner, corner + extent) of a volume.
struct Box {
  Extent corner{}, extent{};
  bool empty() const { return extent[0] <= 0; }
  bool operator==(const Box&) const = default;
};

Box unite(const Box& a, const Box& b);               // an empty box adds nothing
bool is_inside(const Box& inner, const Box& outer);  // true for an empty inner box

class Mask {
 public:
  explicit Mask(const Extent& extent);

  const Extent& extent() const { return extent_; }
  std::int64_t words_per_row() const { return words_per_row_; }
  std::span<std::uint64_t> row(std::int64_t d, std::int64_t h);
  std::span<const std::uint64_t> row(std::int64_t d, std::int64_t h) const;
  std::span<const std::uint64_t> words() const { return words_; }

  std::int64_t count() const;
  Box bounding_box() const;  // empty box if no voxel is set

 private:
  Extent extent_;
  std::int64_t words_per_row_;
  std::vector<std::uint64_t> words_;
};

std::int64_t count_common(const Mask& a, const Mask& b);  // of equal extents

// One mask per region of a label volume (Tissue values, D x H x W). Throws DataError when the
// volume's size differs from `extent` or a value is no Tissue.
std::vector<Mask> region_masks(std::span<const std::uint8_t> labels, const Extent& extent,
                               const std::vector<data::Region>& regions);

// The voxels of a mask that a 6-neighbour erosion removes: those with a face neighbour outside the
// mask, where everything beyond the volume is outside (scipy's binary_erosion, MONAI, medpy).
Mask surface_of(const Mask& mask);

}  // namespace lacuna::evaluation

// Where the crop of a training sample lies in its volume.
//
// Pure functions of their arguments. The crop lies inside the volume: where a scaled crop or a
// margin does not fit, it is reduced to what does. Along an axis on which the volume itself is
// smaller than the patch the crop starts at 0 and reaches beyond it, into background: the padding
// that evaluation uses.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "base/random.h"
#include "data/types/recipe.h"

namespace lacuna::data {

// In voxels of the full volume. `extent` differs from the patch when the crop is scaled.
struct Crop {
  Extent corner{};
  Extent extent{};
};

// What is known of the volume.
struct CropSource {
  Extent full_extent{};
  Extent box_offset{};  // of the brain box, which `foreground` counts in
  Extent box_extent{};
  // Flat indices into the brain box of the voxels of a region; may be empty.
  std::function<std::span<const std::uint32_t>(int region)> foreground;
};

// `stretch`: an axis is to be magnified by so much when the crop becomes the patch.
Crop draw_crop(const CropRecipe& recipe, const Extent& patch, const CropSource& source,
               Stream& stream, const std::array<double, 3>& stretch = {1, 1, 1});

// An interval of one axis, [begin, end).
struct Interval {
  std::int64_t begin = 0, end = 0;
  bool operator==(const Interval&) const = default;
};

// What a box becomes along an axis of a volume of `full` voxels before patches are taken from it:
// itself when it holds `patch` voxels; else, with e = (patch - n) / 2 rounded down, e voxels more
// before it and e + 1 behind it, shifted so that it lies in the volume, or all of the volume. (The
// published preprocessing of the RFNet line; there a box at the upper border stays too short.)
Interval grown_box(const Interval& box, std::int64_t patch, std::int64_t full);

// Whether a patch exceeds a volume along some axis.
bool exceeds(const Extent& patch, const Extent& full);

}  // namespace lacuna::data

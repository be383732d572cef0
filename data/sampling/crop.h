// Where the crop of a training sample lies in its volume.
//
// draw_crop() is a pure function of its arguments. The crop always lies inside the volume: where a
// scaled crop or a margin does not fit, it is reduced to what does.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/random.h"
#include "data/cache/cohort.h"
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

Crop draw_crop(const CropRecipe& recipe, const Extent& patch, const CropSource& source,
               Stream& stream);

// Throws ConfigError with the case, both extents and the remedy when the patch exceeds the volume.
// `patch` is in the order of the volume; the message is in that of the network, as data.patch is.
void check_patch_fits(const Extent& patch, const CaseInfo& info, const Axes& axes = kVolumeAxes);

}  // namespace lacuna::data

#include "data/sampling/crop.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace lacuna::data {
namespace {

// A uniform voxel of a uniformly chosen region, in the full volume; none if the region is empty.
std::optional<Extent> draw_centre(const CropRecipe& recipe, const CropSource& source,
                                  Stream& stream) {
  if (recipe.centre_regions.empty() || !stream.chance(recipe.centred_probability)) {
    return std::nullopt;
  }
  const int region = recipe.centre_regions[stream.below(recipe.centre_regions.size())];
  const std::span<const std::uint32_t> voxels = source.foreground(region);
  if (voxels.empty()) return std::nullopt;
  const std::int64_t flat = voxels[stream.below(voxels.size())];
  const std::int64_t height = source.box_extent[1], width = source.box_extent[2];
  return Extent{source.box_offset[0] + flat / (height * width),
                source.box_offset[1] + flat / width % height, source.box_offset[2] + flat % width};
}

}  // namespace

Crop draw_crop(const CropRecipe& recipe, const Extent& patch, const CropSource& source,
               Stream& stream, const std::array<double, 3>& stretch) {
  const double scale = stream.chance(recipe.scale_probability)
                           ? stream.uniform(recipe.scale.low, recipe.scale.high)
                           : 1.0;
  const std::optional<Extent> centre = draw_centre(recipe, source, stream);
  Crop crop;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t full = source.full_extent[axis];
    const double exact = static_cast<double>(patch[axis]) * scale;
    const auto wanted =
        static_cast<std::int64_t>(stretch[axis] == 1 ? exact : std::round(exact / stretch[axis]));
    const std::int64_t extent = std::clamp<std::int64_t>(wanted, 1, std::max(full, patch[axis]));
    crop.extent[axis] = extent;
    Interval room{0, full};
    if (recipe.inside_box) {
      const std::int64_t begin = source.box_offset[axis];
      room = grown_box({begin, begin + source.box_extent[axis]}, extent, full);
    }
    const std::int64_t spare = std::max<std::int64_t>(0, room.end - room.begin - extent);
    if (centre) {
      crop.corner[axis] =
          std::clamp<std::int64_t>((*centre)[axis] - extent / 2, room.begin, room.begin + spare);
    } else {
      const std::int64_t margin = std::min(recipe.margin[axis], spare / 2);
      const std::int64_t corners = spare - 2 * margin + 1;
      const std::int64_t choices = recipe.exclude_last && corners > 1 ? corners - 1 : corners;
      crop.corner[axis] =
          room.begin + margin +
          static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(choices)));
    }
  }
  return crop;
}

Interval grown_box(const Interval& box, std::int64_t patch, std::int64_t full) {
  const std::int64_t length = box.end - box.begin;
  if (length >= patch) return box;
  const std::int64_t grow = (patch - length) / 2;
  const std::int64_t wanted = length + 2 * grow + 1;
  if (wanted >= full) return {0, full};
  const std::int64_t begin = std::clamp<std::int64_t>(box.begin - grow, 0, full - wanted);
  return {begin, begin + wanted};
}

bool exceeds(const Extent& patch, const Extent& full) {
  return patch[0] > full[0] || patch[1] > full[1] || patch[2] > full[2];
}

}  // namespace lacuna::data

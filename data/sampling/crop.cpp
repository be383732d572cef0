#include "data/sampling/crop.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/json.h"

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
               Stream& stream) {
  const double scale = stream.chance(recipe.scale_probability)
                           ? stream.uniform(recipe.scale.low, recipe.scale.high)
                           : 1.0;
  const std::optional<Extent> centre = draw_centre(recipe, source, stream);
  Crop crop;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t full = source.full_extent[axis];
    const auto wanted = static_cast<std::int64_t>(static_cast<double>(patch[axis]) * scale);
    const std::int64_t extent = std::clamp<std::int64_t>(wanted, 1, full);
    crop.extent[axis] = extent;
    if (centre) {
      crop.corner[axis] = std::clamp<std::int64_t>((*centre)[axis] - extent / 2, 0, full - extent);
    } else {
      const std::int64_t margin = std::min(recipe.margin[axis], (full - extent) / 2);
      const std::int64_t corners = full - extent - 2 * margin + 1;
      const std::int64_t choices = recipe.exclude_last && corners > 1 ? corners - 1 : corners;
      crop.corner[axis] =
          margin + static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(choices)));
    }
  }
  return crop;
}

void check_patch_fits(const Extent& patch, const CaseInfo& info, const Axes& axes) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (patch[axis] >= 1 && patch[axis] <= info.full_extent[axis]) continue;
    const Extent extent = to_network_order(info.full_extent, axes);
    throw_error<ConfigError>(
        "case {}: the patch {} does not fit into the volume {} ({}). Set data.patch to at most {}.",
        info.id, fmt::join(to_network_order(patch, axes), "x"), fmt::join(extent, "x"),
        fmt::join(to_network_order(std::array{'D', 'H', 'W'}, axes), " x "), Json(extent).dump());
  }
}

}  // namespace lacuna::data

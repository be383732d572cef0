#include "methods/shared/extent_check.h"

#include <algorithm>

#include <ATen/core/Tensor.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::methods {

void require_extent(const data::Extent& extent, const data::Extent& multiple,
                    const std::string& what, std::int64_t times) {
  for (std::size_t axis = 0; axis < extent.size(); ++axis) {
    const std::int64_t least = times * multiple[axis];
    if (extent[axis] >= least && extent[axis] % multiple[axis] == 0) continue;
    const std::int64_t below = std::max(least, extent[axis] / multiple[axis] * multiple[axis]);
    const std::string nearest = extent[axis] < below
                                    ? fmt::format("{}", below)
                                    : fmt::format("{} or {}", below, below + multiple[axis]);
    throw_error<ConfigError>(
        "{} {}x{}x{}: {} = {} does not fit the network. Allowed: multiples of {} (D), {} (H), {} "
        "(W){}; nearest for {}: {}.",
        what, extent[0], extent[1], extent[2], "DHW"[axis], extent[axis], multiple[0], multiple[1],
        multiple[2], times > 1 ? fmt::format(" from {} of each on", times) : "", "DHW"[axis],
        nearest);
  }
}

void require_made_for(const at::Tensor& image, const data::Extent& made_for,
                      const std::string& what) {
  const data::Extent extent{image.size(2), image.size(3), image.size(4)};
  if (extent == made_for) return;
  throw_error<ConfigError>(
      "{} {}: the network is made for {} voxels, since every token has a place of its own. Set "
      "data.patch to the extent that it shall see.",
      what, fmt::join(extent, "x"), fmt::join(made_for, "x"));
}

}  // namespace lacuna::methods

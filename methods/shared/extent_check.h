// Whether a network can take a patch or window size. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "data/types/extent.h"

namespace at {
class Tensor;
}

namespace lacuna::methods {

// Throws ConfigError naming the axis and the nearest allowed sizes unless every extent is a
// positive multiple of `multiple`, and at least `times` of it. `what` opens the message:
// "data.patch", "window".
void require_extent(const data::Extent& extent, const data::Extent& multiple,
                    const std::string& what, std::int64_t times = 1);

// Throws ConfigError unless the spatial extent of `image` (N x C x D x H x W) is `made_for`, the
// one that a network with tokens was made for.
void require_made_for(const at::Tensor& image, const data::Extent& made_for,
                      const std::string& what);

}  // namespace lacuna::methods

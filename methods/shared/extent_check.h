// Whether a network can take a patch or window size. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "data/types/extent.h"

namespace lacuna::methods {

// Throws ConfigError naming the axis and the nearest allowed sizes unless every extent is a
// positive multiple of `multiple`, and at least `times` of it. `what` opens the message:
// "data.patch", "window".
void require_extent(const data::Extent& extent, const data::Extent& multiple,
                    const std::string& what, std::int64_t times = 1);

}  // namespace lacuna::methods

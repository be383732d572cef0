// Channel counts of a narrower or wider copy of a published network. Pure function.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lacuna::models {

// `channels` of the published network (width 1) at another width: rounded, at least 2, since a
// network with single channels has weight statistics over one number.
inline std::int64_t scaled(std::int64_t channels, double width) {
  return std::max<std::int64_t>(2, std::llround(static_cast<double>(channels) * width));
}

}  // namespace lacuna::models

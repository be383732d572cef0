// The size of a volume, a box or a patch.
#pragma once

#include <array>
#include <cstdint>

namespace lacuna::data {

using Extent = std::array<std::int64_t, 3>;  // D, H, W in voxels

}  // namespace lacuna::data

// IntensityStatistics of one whole volume (data/cache/cohort.h), exactly as the published
// preprocessing defines them:
//   cap          np.histogram with floor(maximum) bins over [minimum, maximum]; the index of the
//                last bin that holds 50 voxels or more (ShaSpec, published code); the maximum when
//                there is none or the maximum is below 1
//   mean, ...    over voxels that differ from volume[0], population deviation; 0 and 1 if none do
//   percentiles  of voxels > 0, linear between neighbours as np.percentile
//   trimmed      mean and population deviation of the voxels that differ from volume[0] and lie
//                strictly between the two percentiles; of all that differ when none does
//   median       of the voxels that differ from volume[0]
//   cap_edge     the upper edge of the bin at `cap`: the same for images of any scale
// Real volumes get float64 bin edges, where NumPy takes float32 ones for float32 images.
// Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "data/cache/cohort.h"

namespace lacuna::data {

// `volume` in any order, with the corner voxel (0,0,0) first; not empty, all finite.
IntensityStatistics intensity_statistics(std::span<const std::int16_t> volume);
IntensityStatistics intensity_statistics(std::span<const float> volume);

}  // namespace lacuna::data

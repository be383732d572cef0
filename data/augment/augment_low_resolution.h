// Simulated low resolution of one channel, in place: nearest neighbour down to zoom x extent, cubic
// B-spline back up, result kept within the range of the reduced volume; half-pixel centres, edges
// replicated. What batchgenerators does through skimage.transform.resize.
#pragma once

#include <vector>

#include "data/types/extent.h"

namespace lacuna::data {

// volume: D x H x W. 0 < zoom <= 1. scratch keeps its memory from call to call.
void reduce_resolution(float* volume, const Extent& extent, double zoom,
                       std::vector<float>& scratch);

}  // namespace lacuna::data

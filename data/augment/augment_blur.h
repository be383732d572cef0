// Gaussian blur of one channel, in place: the filter of scipy.ndimage.gaussian_filter (cut at 4
// sigma, edges reflected as d c b a | a b c d | d c b a).
#pragma once

#include <vector>

#include "data/types/extent.h"

namespace lacuna::data {

// volume: D x H x W. sigma in voxels. scratch keeps its memory from call to call.
void gaussian_blur(float* volume, const Extent& extent, double sigma, std::vector<float>& scratch);

// The 1-D kernel, sum 1, of 2 r + 1 weights with r = floor(4 sigma + 1/2).
std::vector<double> gaussian_kernel(double sigma);

}  // namespace lacuna::data

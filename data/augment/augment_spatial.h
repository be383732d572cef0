// Elastic deformation, rotation and zoom, put together with the scaling of the crop into one
// resampling (data/augment/resample.h).
#pragma once

#include <array>

#include "data/augment/resample.h"
#include "data/types/extent.h"

namespace lacuna::data {

struct SpatialChange {
  double elastic_alpha = 0, elastic_sigma = 0;  // alpha 0: none
  std::array<double, 3> radians{};              // about the axes D, H, W
  double zoom = 1;                              // multiplies sampling positions: > 1 shrinks

  bool changes() const {
    return elastic_alpha != 0 || radians != std::array<double, 3>{} || zoom != 1;
  }
};

// Positions are taken about the centre of the patch: displaced, then rotated (first D, then H, then
// W, as batchgenerators' matrices do), then zoomed, then scaled from the patch to the crop with
// half-pixel centres. The centre is (n - 1) / 2: batchgenerators uses n / 2 at this point, which
// shifts image and label alike by half a voxel; with linear interpolation that would blur every
// image, so it is not copied.
SamplingMap spatial_map(const SpatialChange& change, const Extent& patch, const Extent& crop,
                        const ElasticField* field);

}  // namespace lacuna::data

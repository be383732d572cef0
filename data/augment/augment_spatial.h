// Elastic deformation, rotations and zoom, put together with the scaling of the crop into one
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
  // A turn in the plane of the two axes other than `turn_axis`, by scipy.ndimage.rotate's sense.
  std::size_t turn_axis = 0;
  double turn_radians = 0;

  bool interpolates() const {
    return elastic_alpha != 0 || radians != std::array<double, 3>{} || zoom != 1;
  }
  bool changes() const { return interpolates() || turn_radians != 0; }
};

// Positions are taken about the centre of the patch: displaced, then turned, then rotated (first D,
// then H, then W, as batchgenerators' matrices do), then zoomed, then scaled from the patch to the
// crop with half-pixel centres. The centre is (n - 1) / 2: batchgenerators uses n / 2 at this
// point, which shifts image and label alike by half a voxel; with linear interpolation that would
// blur every image, so it is not copied.
SamplingMap spatial_map(const SpatialChange& change, const Extent& patch, const Extent& crop,
                        const ElasticField* field);

}  // namespace lacuna::data

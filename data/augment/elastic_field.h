// A smooth random displacement of the voxels of a patch, as batchgenerators' elastic_deform makes
// it: per axis, uniform (-1, 1) noise at each voxel of the patch (0 outside), filtered with a
// Gaussian of `sigma` and multiplied by `alpha`.
//
// The field is made on every 4th voxel and interpolated linearly between: sigma is 9 or more, so
// the field hardly bends over 4 voxels, and it costs a hundredth. Same variance, same correlation,
// other random numbers (normal ones: a sum over thousands of voxels is normal anyway).
// Immutable after construction.
#pragma once

#include <array>
#include <vector>

#include "data/augment/normal_field.h"
#include "data/types/extent.h"

namespace lacuna::data {

class ElasticField {
 public:
  // Uses the fields key.sub, key.sub + 1 and key.sub + 2.
  ElasticField(const Extent& patch, double alpha, double sigma, const FieldKey& key);

  // Displacements along D, H and W, in voxels, of the row (d, h, 0..W-1).
  void row(std::int64_t d, std::int64_t h, std::array<float*, 3> displacement) const;

 private:
  Extent patch_{}, grid_{};
  std::array<std::vector<float>, 3> nodes_;
};

}  // namespace lacuna::data

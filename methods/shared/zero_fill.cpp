#include "methods/shared/zero_fill.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "methods/shared/missing_features.h"

namespace lacuna::methods {

at::Tensor zero_fill(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets) {
  const int modalities = static_cast<int>(image.size(1));
  const bool complete = std::all_of(subsets.begin(), subsets.end(), [&](data::SubsetMask subset) {
    return data::count(subset) == modalities;
  });
  if (complete) return image;
  const at::Tensor present = presence(subsets, modalities, image.device());
  return at::where(present.view({image.size(0), modalities, 1, 1, 1}), image, 0);
}

}  // namespace lacuna::methods

// Zero filling: the images of modalities that a sample's subset lacks become zero, which is the
// background value of every normalisation. Pure function.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::methods {

// image: N x M x D x H x W; subsets: one per sample. The image itself (no copy) when nothing is
// missing. Absent channels become 0 even where they hold NaN or infinity.
at::Tensor zero_fill(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets);

}  // namespace lacuna::methods

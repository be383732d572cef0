// Labels as one binary target per tumour region. Pure function.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/tissue.h"

namespace lacuna::losses {

// label: N x D x H x W, uint8, data::Tissue values. Result: N x regions x D x H x W of `type`, 1
// where the voxel's tissue belongs to the region (channel = position in `regions`), else 0.
at::Tensor region_targets(const at::Tensor& label, const std::vector<data::Region>& regions,
                          at::ScalarType type);

}  // namespace lacuna::losses

// Labels as exclusive classes, with what the losses of RFNet and its successors need of them: made
// once for all outputs that are judged by one label. Value type.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

struct ClassTargets {
  at::Tensor one_hot;  // N x C x D x H x W
  at::Tensor counts;   // N x C: voxels of the class in the sample
  at::Tensor weight;   // N x D x H x W: 1 - counts / voxels of the voxel's own class
};

// label: N x D x H x W, uint8, data::Tissue values; tissue t is class t, and one from `classes` on
// (a resection cavity) is background. `type` of the results.
ClassTargets class_targets(const at::Tensor& label, std::int64_t classes, at::ScalarType type);

}  // namespace lacuna::losses

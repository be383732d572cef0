// Features of a network in a type that sums over voxels can bear: under autocast it ends in a short
// one. Pure function.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

inline at::Tensor precise(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

}  // namespace lacuna::losses

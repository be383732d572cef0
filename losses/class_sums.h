// Weighted cross entropy and Dice over exclusive classes, background included, both over a whole
// batch (Robust-MSeg, PMKL), in two steps: the sums are what ranks add up
// (methods::Batch::over_ranks). Pure functions.
//
//   E_c = sum of -ln clamp(p, 0.005, 1) over the voxels of class c,  I_c = sum p y,  Q_c = sum p^2,
//   Y_c = sum y,  V = sum_c Y_c
//   cross entropy = sum_c (1 - Y_c / V) E_c / V
//   Dice          = 1 - 1/C sum_c 2 I_c / (Q_c + Y_c + 1e-7)
//
// The clamp ends the gradient where p < 0.005.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/class_targets.h"

namespace lacuna::losses {

// probability: N x C x D x H x W -> C x 4: E, I, Q, Y. included: N, 1 where a sample counts and 0
// where not; undefined: all do.
at::Tensor class_sums(const at::Tensor& probability, const ClassTargets& targets,
                      const at::Tensor& included = {});

struct ClassLosses {
  at::Tensor cross_entropy, dice;
};
// sums: C x 4. Without a voxel that counts both are 0.
ClassLosses class_losses(const at::Tensor& sums);

}  // namespace lacuna::losses

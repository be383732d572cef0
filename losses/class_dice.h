// Soft Dice over exclusive classes, background included, with sums over a whole batch, in two
// steps: the sums are what ranks add up (methods::Batch::over_ranks). Pure functions.
//
//   L = 1 - 1/C sum_c 2 I_c / (P_c + R_c + 1e-7),   I = sum p y, P = sum p, R = sum y
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/class_targets.h"

namespace lacuna::losses {

// probability: N x C x D x H x W -> C x 2: I_c and P_c + R_c. included: N, 1 where a sample counts
// and 0 where not; undefined: all do.
at::Tensor class_dice_sums(const at::Tensor& probability, const ClassTargets& targets,
                           const at::Tensor& included = {});

// sums: ... x C x 2 -> ..., the loss of each.
at::Tensor class_dice_loss(const at::Tensor& sums);

}  // namespace lacuna::losses

// Soft Dice loss of independent regions. Pure function, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// Published code of ShaSpec and MCKD (MCKD, Eq. 1, first term): with p = sigmoid(logit), target t,
//   L = mean over channels of [1 - mean_n 2 sum(p t) / (sum(p) + sum(t) + smooth)],
// sums over the voxels of one sample and channel; not squared; smoothing in the denominator only.
// logits, target: N x C x D x H x W; result: a scalar.
at::Tensor soft_dice_with_logits(const at::Tensor& logits, const at::Tensor& target,
                                 double smooth = 1);

}  // namespace lacuna::losses

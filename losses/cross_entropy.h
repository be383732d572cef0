// Binary cross entropy of independent regions. Pure function, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// Published code of ShaSpec and MCKD (MCKD, Eq. 1, second term):
//   L = SUM over channels of the mean over samples and voxels of
//       -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)).
// The sum, not the mean, over channels fixes the balance with Dice at 3 : 1.
// logits, target: N x C x D x H x W; result: a scalar.
at::Tensor summed_cross_entropy_with_logits(const at::Tensor& logits, const at::Tensor& target);

}  // namespace lacuna::losses

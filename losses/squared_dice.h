// Soft Dice loss with squared denominators (V-Net, Milletari et al. 2016, Eq. for D). Pure
// function, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// Published code of MST-KDNet, per channel c and sample:
//   D_c = 1 - 2 sum(p y) / (sum(p^2) + sum(y^2) + 1e-7)
// probability, target: N x C x D x H x W. Result: C values, each the mean over samples (the
// published batch is one sample). Without smoothing in the numerator the loss of a class that is
// not in the crop is 1 with gradient zero.
at::Tensor squared_dice(const at::Tensor& probability, const at::Tensor& target);

}  // namespace lacuna::losses

#include "losses/class_dice.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor class_dice_sums(const at::Tensor& probability, const ClassTargets& targets,
                           const at::Tensor& included) {
  const at::Tensor overlap = (probability * targets.one_hot).flatten(2).sum(2);
  const at::Tensor both = probability.flatten(2).sum(2) + targets.counts;
  at::Tensor sums = at::stack({overlap, both}, 2);  // N x C x 2
  if (included.defined()) sums = sums * included.to(sums.scalar_type()).view({-1, 1, 1});
  return sums.sum(0);
}

at::Tensor class_dice_loss(const at::Tensor& sums) {
  return 1 - (2 * sums.select(-1, 0) / (sums.select(-1, 1) + 1e-7)).mean(-1);
}

}  // namespace lacuna::losses

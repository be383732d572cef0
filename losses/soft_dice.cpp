#include "losses/soft_dice.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor soft_dice_with_logits(const at::Tensor& logits, const at::Tensor& target,
                                 double smooth) {
  const at::Tensor probability = logits.sigmoid().flatten(2);
  const at::Tensor truth = target.flatten(2);
  const at::Tensor overlap = (probability * truth).sum(2);
  const at::Tensor total = probability.sum(2) + truth.sum(2) + smooth;
  return 1 - (2 * overlap / total).mean();  // channels weigh alike, samples weigh alike
}

}  // namespace lacuna::losses

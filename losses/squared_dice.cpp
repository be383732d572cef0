#include "losses/squared_dice.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor squared_dice(const at::Tensor& probability, const at::Tensor& target) {
  const at::Tensor p = probability.flatten(2), y = target.flatten(2);
  const at::Tensor overlap = 2 * (p * y).sum(2);
  return (1 - overlap / (p.square().sum(2) + y.square().sum(2) + 1e-7)).mean(0);
}

}  // namespace lacuna::losses

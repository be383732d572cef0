#include "losses/weighted_cross_entropy.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor weighted_cross_entropy(const at::Tensor& probability, const ClassTargets& targets,
                                  const at::Tensor& included) {
  const at::Tensor of_class = (probability * targets.one_hot).sum(1);
  const at::Tensor each = targets.weight * of_class.clamp(0.005, 1).log();
  if (!included.defined()) return -each.mean();
  return -(each.flatten(1).mean(1) * included.to(each.scalar_type())).mean();
}

}  // namespace lacuna::losses

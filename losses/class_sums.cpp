#include "losses/class_sums.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor class_sums(const at::Tensor& probability, const ClassTargets& targets,
                      const at::Tensor& included) {
  const at::Tensor own = probability * targets.one_hot;
  const at::Tensor entropy = -own.sum(1, /*keepdim=*/true).clamp(0.005, 1).log();
  at::Tensor sums = at::stack({(entropy * targets.one_hot).flatten(2).sum(2), own.flatten(2).sum(2),
                               probability.square().flatten(2).sum(2), targets.counts},
                              2);  // N x C x 4
  if (included.defined()) sums = sums * included.to(sums.scalar_type()).view({-1, 1, 1});
  return sums.sum(0);
}

ClassLosses class_losses(const at::Tensor& sums) {
  const at::Tensor counts = sums.select(1, 3);
  const at::Tensor voxels = counts.sum(), there = (voxels > 0).to(sums.scalar_type());
  const at::Tensor safe = voxels.clamp_min(1);
  const at::Tensor weight = 1 - counts / safe;
  const at::Tensor dice = 2 * sums.select(1, 1) / (sums.select(1, 2) + counts + 1e-7);
  return {(weight * sums.select(1, 0)).sum() / safe, (1 - dice.mean()) * there};
}

}  // namespace lacuna::losses

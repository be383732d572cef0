#include "losses/gaussian_kl.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor gaussian_kl(const Gaussian& p, const Gaussian& q) {
  const at::Tensor square = p.log_variance.exp() + (p.mean - q.mean).square();
  return 0.5 *
         (q.log_variance - p.log_variance + square / (q.log_variance.exp() + 1e-7) - 1).mean();
}

at::Tensor gaussian_kl_to_prior(const Gaussian& p, double epsilon) {
  const at::Tensor square = p.log_variance.exp() + p.mean.square();
  return 0.5 * (square / (1 + epsilon) - p.log_variance - 1).mean();
}

}  // namespace lacuna::losses

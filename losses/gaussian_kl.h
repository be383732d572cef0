// Diagonal Gaussians per voxel and channel. Pure functions, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

struct Gaussian {
  at::Tensor mean, log_variance;  // of one shape
};

// U-HVED's divergence, the mean over all entries of
//   0.5 [-1 + lv_q - lv_p + (exp(lv_p) + (mu_p - mu_q)^2) / (exp(lv_q) + 1e-7)].
at::Tensor gaussian_kl(const Gaussian& p, const Gaussian& q);
// The same with q = N(0, 1), whose variance is 1 + epsilon (U-HVED 1e-7, RA-HVED 1e-8).
at::Tensor gaussian_kl_to_prior(const Gaussian& p, double epsilon = 1e-7);

}  // namespace lacuna::losses

// Losses on Gram matrices, which hold how channels go together and not where (Gatys et al. 2016).
// Pure functions, differentiable.
//
// Features are N x C x D x H x W and become C x S matrices, S = D H W; every loss is the mean over
// samples.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// G_a G_b^T / (C_a S): N x C_a x C_b.
at::Tensor gram(const at::Tensor& a, const at::Tensor& b);

// Published code of MST-KDNet, with n_i = (first two spatial extents' product)^2:
//   1e-4 * sum_i |M_i^f - M_i^m|_F^2 / (4 C_i C_{i-1} n_i),  M_i = gram(G_i, G_{i-1}), G_{-1} =
//   last
// On its feature maps the factor is 6.6e-15: numerically inert, as published. With one feature this
// is the Gram style loss of its variant for region targets.
at::Tensor gram_matching(const std::vector<at::Tensor>& teacher,
                         const std::vector<at::Tensor>& student);

// The same matrices compared by the mean over their entries: sum_i MSE(M_i^f, M_i^m).
at::Tensor mean_gram_matching(const std::vector<at::Tensor>& teacher,
                              const std::vector<at::Tensor>& student);

}  // namespace lacuna::losses

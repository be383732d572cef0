// Two networks teach each other voxel by voxel: where one is further from the truth than the other,
// it is drawn to the other's distribution (SMML, AAAI 2025, "pixel-wise bidirectional
// consistency").
//
//   Q_i = -log p_i(true class),   T = 1 where Q_1 > Q_2, else 0
//   L_1 = sum_v T KL(q_1 || q_2) / sum_v T,   L_2 = sum_v (1 - T) KL(q_2 || q_1) / sum_v (1 - T)
//   q_i = softmax(z_i / tau)
//
// In two steps: the sums are what ranks add up (methods::Batch::over_ranks). T has no gradient, and
// L_i none but into z_i. Pure functions; computed in float, or double where the logits are.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

struct SelectiveKl {
  double temperature = 6;
  bool from_teacher = false;  // KL(other || own), as in distillation; else KL(own || other)
  bool scaled = false;        // times tau^2
};

// logits and one_hot: N x C x D x H x W -> N x 2 x 2: of L_1 and L_2 numerator and denominator.
at::Tensor selective_kl_sums(const at::Tensor& first, const at::Tensor& second,
                             const at::Tensor& one_hot, const SelectiveKl& options = {});

// sums: ... x 2 x 2 -> ... x 2: L_1 and L_2; 0 where there is no such voxel.
at::Tensor selective_kl_loss(const at::Tensor& sums);

}  // namespace lacuna::losses

// Distillation of standardised logits (Sun et al., CVPR 2024, "Logit Standardization in Knowledge
// Distillation"; MST-KDNet, SLKD). Pure function, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

struct StandardisedDistillation {
  double temperature = 7;
  // Over which mean and (unbiased) deviation are taken: 1 = classes, the paper's; -1 = the last
  // spatial axis, MST-KDNet's published code.
  std::int64_t axis = 1;
  bool towards_student = false;  // KL(q^m || q^f), the published code, in place of KL(q^f || q^m)
};

// z = (l - mean) / (deviation + 1e-7), q = softmax over classes of z / T,
//   L = T^2 * sum over voxels KL(q^f || q^m) / elements of the logits, mean over samples.
// teacher, student: N x C x D x H x W.
at::Tensor standardised_logit_distillation(const at::Tensor& teacher, const at::Tensor& student,
                                           const StandardisedDistillation& options = {});

}  // namespace lacuna::losses

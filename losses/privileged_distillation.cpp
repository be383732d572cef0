#include "losses/privileged_distillation.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

namespace lacuna::losses {

// Card, section 4: pixel KD. There is no factor of the squared temperature.
TrustedDistillation trusted_distillation(const at::Tensor& student_logits,
                                         const at::Tensor& teacher_logits,
                                         const ClassTargets& targets, double temperature) {
  TrustedDistillation result;
  at::Tensor softened;
  {
    const torch::NoGradGuard no_grad;
    const auto entropy = [&](const at::Tensor& logits) {
      return -(logits.log_softmax(1) * targets.one_hot).sum(1);
    };
    const at::Tensor right = teacher_logits.argmax(1) == targets.one_hot.argmax(1);
    result.trust = at::relu(entropy(student_logits) - entropy(teacher_logits)) * right;
    softened = (teacher_logits / temperature).softmax(1);
  }
  result.divergence =
      -(softened * (student_logits / temperature).softmax(1).clamp(0.005, 1).log()).sum(1);
  return result;
}

at::Tensor trusted_sums(const TrustedDistillation& voxels, const at::Tensor& included) {
  const at::Tensor product = (voxels.trust * voxels.divergence).flatten(1).sum(1);
  at::Tensor sums = at::stack({product, voxels.trust.flatten(1).sum(1)}, 1);  // N x 2
  if (included.defined()) sums = sums * included.to(sums.scalar_type()).view({-1, 1});
  return sums.sum(0);
}

at::Tensor trusted_mean(const at::Tensor& sums, double epsilon) {
  return sums[0] / (sums[1] + epsilon);
}

at::Tensor pair_contrast(const at::Tensor& student, const at::Tensor& teacher, double epsilon) {
  at::Tensor square = (student.unsqueeze(1) - teacher.unsqueeze(0)).square().sum(2);
  if (epsilon > 0) square = square.clamp_min(epsilon);
  const at::Tensor distance = square.sqrt();
  const at::Tensor same = at::eye(student.size(0), distance.options());
  return (same * distance.square() + (1 - same) * at::relu(1 - distance).square()).mean();
}

}  // namespace lacuna::losses

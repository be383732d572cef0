// The two distillations of PMKL (Chen et al., IEEE TMI 2022): of a teacher's segmentation where it
// can be trusted, and of images as wholes. Pure functions; the teacher's side of the first has no
// gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/class_targets.h"

namespace lacuna::losses {

// Per voxel, N x D x H x W, with q = softmax(logits / temperature):
//   trust      r = max(0, CE_student - CE_teacher) where the teacher's class is right, else 0;
//              without gradient
//   divergence k = -sum_c q_teacher ln clamp(q_student, 0.005, 1)
struct TrustedDistillation {
  at::Tensor trust, divergence;
};
TrustedDistillation trusted_distillation(const at::Tensor& student_logits,
                                         const at::Tensor& teacher_logits,
                                         const ClassTargets& targets, double temperature);

// -> sum r k, sum r: what ranks add up. included: N, 1 where a sample counts and 0 where not;
// undefined: all do.
at::Tensor trusted_sums(const TrustedDistillation& voxels, const at::Tensor& included = {});
// sum r k / (sum r + epsilon). Published: without epsilon, not a number where the teacher is
// nowhere better.
at::Tensor trusted_mean(const at::Tensor& sums, double epsilon);

// Embeddings of the same B images, B x E each, of unit length. Mean over the B^2 pairs (student i,
// teacher j) of d^2 where i = j and of max(0, 1 - d)^2 elsewhere, d = sqrt(max(|a - b|^2,
// epsilon)). Published: epsilon 0, without a gradient where d is 0.
at::Tensor pair_contrast(const at::Tensor& student, const at::Tensor& teacher, double epsilon);

}  // namespace lacuna::losses

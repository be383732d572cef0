// Distillation between the features of every ordered pair of present modalities (MCKD, Eq. 4-5).
// Pure function, differentiable.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::losses {

struct DistillationOptions {
  enum class Distance { kAbsolute, kSquared };  // mean over elements of |a - b| or (a - b)^2

  Distance distance = Distance::kAbsolute;
  // The published code detaches the teacher. Without it the pairs (i,j) and (j,i) pull both
  // features alike and the ratio gives hardly any direction.
  bool detach_teacher = true;
};

// Published code of MCKD:
//   L = mean_n sum over ordered pairs (i,j), i != j, both in S_n, of
//       sg[ratio_ij] * distance(sg[f_i], f_j);
// i teaches, j learns; not divided by the number of pairs; 0 when no sample has a pair.
// features: N x M x ..., of any type (distances are taken in float or double); ratio: M x M;
// subsets: S_n per sample. Result: a scalar.
at::Tensor pairwise_distillation(const at::Tensor& features, const at::Tensor& ratio,
                                 const std::vector<data::SubsetMask>& subsets,
                                 const DistillationOptions& options = {});

}  // namespace lacuna::losses

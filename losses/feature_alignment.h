// Alignment of the features of different modalities (ShaSpec). Pure function, differentiable.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::losses {

enum class AlignedPairs {
  kRing,  // (0,1), (1,2), ..., (M-1,0): the published code
  kAll,   // every pair once: what its comment says
};

// L = mean_n sum over pairs (i,j) with both in S_n of the mean over elements of |f_i - f_j|.
// Gradient into both. features: N x M x ...; subsets: S_n per sample. Result: a scalar.
at::Tensor feature_alignment(const at::Tensor& features, AlignedPairs pairs,
                             const std::vector<data::SubsetMask>& subsets);

}  // namespace lacuna::losses

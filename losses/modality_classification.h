// Which modality does a feature come from? (ShaSpec) Pure function, differentiable.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::losses {

// L = mean_n of the mean over m in S_n of the cross entropy of logits[n][m] with class m.
// logits: N x M x M; subsets: S_n per sample, none empty. Result: a scalar.
at::Tensor modality_classification(const at::Tensor& logits,
                                   const std::vector<data::SubsetMask>& subsets);

}  // namespace lacuna::losses

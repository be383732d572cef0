#include "losses/feature_alignment.h"

#include <ATen/ATen.h>

#include "losses/pairwise_distillation.h"
#include "losses/precise.h"

namespace lacuna::losses {

at::Tensor feature_alignment(const at::Tensor& features, AlignedPairs pairs,
                             const std::vector<data::SubsetMask>& subsets) {
  // Distillation of ordered pairs with weight 1, where neither side teaches.
  const std::int64_t modalities = features.size(1);
  const at::Tensor ones = at::ones({modalities, modalities}, precise(features).options());
  at::Tensor weight = ones.triu(1);
  if (pairs == AlignedPairs::kRing) {
    weight = weight.tril(1);
    weight[modalities - 1][0] = 1;
  }
  DistillationOptions options;
  options.detach_teacher = false;
  return pairwise_distillation(features, weight, subsets, options);
}

}  // namespace lacuna::losses

#include "losses/modality_classification.h"

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor modality_classification(const at::Tensor& logits,
                                   const std::vector<data::SubsetMask>& subsets) {
  const std::int64_t samples = logits.size(0), modalities = logits.size(1);
  std::vector<double> weights;
  for (const data::SubsetMask subset : subsets) {
    const double share = 1.0 / static_cast<double>(samples * data::count(subset));
    for (int m = 0; m < modalities; ++m) weights.push_back(data::contains(subset, m) ? share : 0);
  }
  const at::Tensor weight = at::tensor(weights, at::kDouble).to(logits.options());
  const at::Tensor own = logits.log_softmax(2).diagonal(0, 1, 2);  // N x M
  return -(own * weight.view({samples, modalities})).sum();
}

}  // namespace lacuna::losses

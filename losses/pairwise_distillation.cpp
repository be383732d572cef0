#include "losses/pairwise_distillation.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::losses {
namespace {

// Per sample: mean over elements. teacher, student: N x ...
at::Tensor distance(const at::Tensor& teacher, const at::Tensor& student,
                    const DistillationOptions& options) {
  const at::Tensor difference = (options.detach_teacher ? teacher.detach() : teacher) - student;
  const bool squared = options.distance == DistillationOptions::Distance::kSquared;
  return (squared ? difference.square() : difference.abs()).flatten(1).mean(1);
}

}  // namespace

at::Tensor pairwise_distillation(const at::Tensor& raw_features, const at::Tensor& ratio,
                                 const std::vector<data::SubsetMask>& subsets,
                                 const DistillationOptions& options) {
  const at::Tensor features = precise(raw_features);
  const int modalities = static_cast<int>(features.size(1));
  at::Tensor sum = at::zeros({}, features.options());
  for (int i = 0; i < modalities; ++i) {
    for (int j = 0; j < modalities; ++j) {
      std::vector<double> both;
      bool any = false;
      for (const data::SubsetMask subset : subsets) {
        both.push_back(i != j && data::contains(subset, i) && data::contains(subset, j));
        any = any || both.back() != 0;
      }
      if (!any) continue;
      const at::Tensor weight =
          at::tensor(both, at::kDouble).to(features.options()) * ratio[i][j].detach();
      sum = sum + (weight * distance(features.select(1, i), features.select(1, j), options)).mean();
    }
  }
  return sum;
}

}  // namespace lacuna::losses

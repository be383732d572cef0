#include "methods/shared/missing_features.h"

#include <algorithm>
#include <bit>

#include <ATen/ATen.h>

namespace lacuna::methods {

at::Tensor presence(const std::vector<data::SubsetMask>& subsets, int modalities,
                    const at::Device& device) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(subsets.size()), modalities}, at::kBool);
  bool* out = result.mutable_data_ptr<bool>();
  for (const data::SubsetMask subset : subsets) {
    for (int m = 0; m < modalities; ++m) *out++ = data::contains(subset, m);
  }
  return result.to(device);
}

at::Tensor fill_with_mean(const at::Tensor& features,
                          const std::vector<data::SubsetMask>& subsets) {
  const int modalities = static_cast<int>(features.size(1));
  const bool complete = std::all_of(subsets.begin(), subsets.end(), [&](data::SubsetMask subset) {
    return data::count(subset) == modalities;
  });
  if (complete) return features;
  at::Tensor present = presence(subsets, modalities, features.device());
  while (present.dim() < features.dim()) present = present.unsqueeze(-1);
  const at::Tensor sum = at::where(present, features, 0).sum(1, /*keepdim=*/true);
  return at::where(present, features, sum / present.sum(1, /*keepdim=*/true));
}

std::vector<int> first_available(const std::vector<data::SubsetMask>& subsets) {
  std::vector<int> result;
  for (const data::SubsetMask subset : subsets) result.push_back(std::countr_zero(subset));
  return result;
}

at::Tensor fill_with_donor(const at::Tensor& features, const std::vector<data::SubsetMask>& subsets,
                           const std::vector<int>& donors) {
  const std::int64_t samples = features.size(0), modalities = features.size(1);
  std::vector<std::int64_t> source;
  for (std::int64_t n = 0; n < samples; ++n) {
    for (int m = 0; m < modalities; ++m) {
      const bool present = data::contains(subsets[static_cast<std::size_t>(n)], m);
      source.push_back(n * modalities + (present ? m : donors[static_cast<std::size_t>(n)]));
    }
  }
  const at::Tensor index = at::tensor(source, at::kLong).to(features.device());
  return features.flatten(0, 1).index_select(0, index).view_as(features);
}

at::Tensor fill_slots(const at::Tensor& shared, const at::Tensor& fused,
                      const std::vector<data::SubsetMask>& subsets,
                      const std::vector<int>* donors) {
  const int modalities = static_cast<int>(shared.size(1));
  const at::Tensor borrowed =
      donors ? fill_with_donor(shared, subsets, *donors) : fill_with_mean(shared, subsets);
  at::Tensor present = presence(subsets, modalities, shared.device());
  while (present.dim() < shared.dim()) present = present.unsqueeze(-1);
  return at::where(present, fused, borrowed);
}

}  // namespace lacuna::methods

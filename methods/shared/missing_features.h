// What stands in for the features of a missing modality. Pure functions, differentiable.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::methods {

// N x M, bool, on `device`: true where sample n has modality m.
at::Tensor presence(const std::vector<data::SubsetMask>& subsets, int modalities,
                    const at::Device& device);

// features: N x M x ... The slot of a missing modality becomes the mean of the sample's available
// ones, with gradient into each of them; the others stay bit-equal.
at::Tensor fill_with_mean(const at::Tensor& features, const std::vector<data::SubsetMask>& subsets);

// The modality of lowest index that each sample has.
std::vector<int> first_available(const std::vector<data::SubsetMask>& subsets);

// As above with the feature of donors[n], one of the modalities of sample n, in place of the mean.
at::Tensor fill_with_donor(const at::Tensor& features, const std::vector<data::SubsetMask>& subsets,
                           const std::vector<int>& donors);

// The decoder's bottleneck: `fused` where a sample has the modality, else what it borrows from
// `shared`: the feature of donors[n], or without donors the mean. Both N x M x C x d x h x w.
at::Tensor fill_slots(const at::Tensor& shared, const at::Tensor& fused,
                      const std::vector<data::SubsetMask>& subsets, const std::vector<int>* donors);

}  // namespace lacuna::methods

// The segmentation loss of the ShaSpec code base, and the order of its output channels. Pure
// functions.
#pragma once

#include <vector>

#include "data/types/tissue.h"
#include "methods/method.h"

namespace lacuna::methods {

// ET, WT, TC: the published order of output channels.
std::vector<data::Region> published_regions();

// Parts "dice" and "bce", total their sum, output the detached logits.
// logits: N x 3 x D x H x W in the published order; label: N x D x H x W, data::Tissue values.
Loss region_loss(const at::Tensor& logits, const at::Tensor& label);

}  // namespace lacuna::methods

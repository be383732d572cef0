// What the worked examples take their losses of.
#pragma once

#include <torch/types.h>

#include "data/types/modality.h"

namespace lacuna::losses {

inline constexpr data::SubsetMask kAll = 0b1111, kFlairT1c = 0b0101;

// N x M x C x V: constant features 1, 2, 4, 8 of one sample with 2 x 3 elements each.
inline at::Tensor features() {
  return torch::tensor({1.0, 2.0, 4.0, 8.0}, at::kDouble)
      .view({1, 4, 1, 1})
      .expand({1, 4, 2, 3})
      .contiguous();
}

}  // namespace lacuna::losses

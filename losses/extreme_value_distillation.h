// Distillation of attention maps through their extreme values (MST-KDNet, EVD). Pure function,
// differentiable.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

enum class ExtremesOver {
  kTaps,   // published code: element by element over the taps
  kHeads,  // the paper's axis 1: over the heads of each tap
};

// With A_j the attention probabilities of tap j (N x heads x T x T) and S_max, S_min, S_mean the
// element-wise maximum, minimum and mean over the taps (or, per tap, over its heads),
//   L = sum over s, j of MSE(A_j^f * S_s^f, A_j^m * S_s^m).
// The maximum and minimum send their gradient to the element that they select.
at::Tensor extreme_value_distillation(const std::vector<at::Tensor>& teacher,
                                      const std::vector<at::Tensor>& student, ExtremesOver over);

}  // namespace lacuna::losses

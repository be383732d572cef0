#include "losses/extreme_value_distillation.h"

#include <array>

#include <ATen/ATen.h>

namespace lacuna::losses {
namespace {

using Extremes = std::array<at::Tensor, 3>;

Extremes extremes(const at::Tensor& x, std::int64_t axis) {
  return {std::get<0>(x.max(axis)), std::get<0>(x.min(axis)), x.mean(axis)};
}

// Per tap, the three maps that multiply it.
std::vector<Extremes> extremes_of(const std::vector<at::Tensor>& taps, ExtremesOver over) {
  if (over == ExtremesOver::kTaps) {
    return std::vector<Extremes>(taps.size(), extremes(at::stack(taps), 0));
  }
  std::vector<Extremes> result;
  for (const at::Tensor& tap : taps) {
    Extremes own = extremes(tap, 1);
    for (at::Tensor& map : own) map = map.unsqueeze(1);
    result.push_back(own);
  }
  return result;
}

}  // namespace

at::Tensor extreme_value_distillation(const std::vector<at::Tensor>& teacher,
                                      const std::vector<at::Tensor>& student, ExtremesOver over) {
  const auto of_teacher = extremes_of(teacher, over), of_student = extremes_of(student, over);
  at::Tensor sum;
  for (std::size_t j = 0; j < teacher.size(); ++j) {
    for (std::size_t s = 0; s < 3; ++s) {
      const at::Tensor part =
          at::mse_loss(teacher[j] * of_teacher[j][s], student[j] * of_student[j][s]);
      sum = sum.defined() ? sum + part : part;
    }
  }
  return sum;
}

}  // namespace lacuna::losses

#include "losses/standardised_logits.h"

#include <tuple>

#include <ATen/ATen.h>

namespace lacuna::losses {

at::Tensor standardised_logit_distillation(const at::Tensor& teacher, const at::Tensor& student,
                                           const StandardisedDistillation& options) {
  const double t = options.temperature;
  const auto log_q = [&](const at::Tensor& logits) {
    const auto [deviation, mean] =
        at::std_mean(logits, options.axis, /*unbiased=*/true, /*keepdim=*/true);
    return ((logits - mean) / (deviation + 1e-7) / t).log_softmax(1);
  };
  const at::Tensor log_teacher = log_q(teacher), log_student = log_q(student);
  const auto& [p, q] = options.towards_student ? std::tie(log_student, log_teacher)
                                               : std::tie(log_teacher, log_student);
  return t * t * (p.exp() * (p - q)).mean();
}

}  // namespace lacuna::losses

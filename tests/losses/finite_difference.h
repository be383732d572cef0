// Compares an analytic gradient with central differences, in double.
#pragma once

#include <functional>

#include <gtest/gtest.h>
#include <torch/utils.h>

namespace lacuna::tests {

// `loss`: a scalar of `at`, smooth around it. Step 1e-6: the error of the difference is about 1e-9.
inline void expect_gradient(const std::function<at::Tensor(const at::Tensor&)>& loss,
                            const at::Tensor& at) {
  at::Tensor point = at.detach().to(at::kDouble).contiguous().clone().set_requires_grad(true);
  loss(point).backward();
  const at::Tensor gradient = point.grad().flatten();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < point.numel(); ++i) {
    at::Tensor value = point.flatten()[i];
    const double middle = value.item<double>();
    value.fill_(middle + kStep);
    const double above = loss(point).item<double>();
    value.fill_(middle - kStep);
    const double below = loss(point).item<double>();
    value.fill_(middle);
    EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * kStep), 1e-7) << "element " << i;
  }
}

}  // namespace lacuna::tests

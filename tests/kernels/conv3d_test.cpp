#include "kernels/conv3d.h"

#include <ATen/ops/conv3d.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::kernels {
namespace {

struct ConvCase {
  std::int64_t samples, in, out, kernel, stride, padding, dilation;
  at::MemoryFormat layout;
  bool bias;
};

class Conv3d : public ::testing::TestWithParam<ConvCase> {};

// Against torch in double, which never asks oneDNN.
TEST_P(Conv3d, EqualsTorchAndItsGradients) {
  const ConvCase& c = GetParam();
  torch::manual_seed(3);
  const at::Tensor image = at::randn({c.samples, c.in, 6, 9, 10}, at::kDouble);
  const at::Tensor kernel = at::randn({c.out, c.in, c.kernel, c.kernel, c.kernel}, at::kDouble);
  const at::Tensor shift = at::randn({c.out}, at::kDouble);
  const auto own = [&](const at::Tensor& value) {
    return value.dim() == 5 ? value.to(at::kFloat).clone(c.layout).requires_grad_()
                            : value.to(at::kFloat).clone().requires_grad_();
  };
  const at::Tensor x = own(image), w = own(kernel), b = c.bias ? own(shift) : at::Tensor();
  const at::Tensor x64 = image.clone().requires_grad_(), w64 = kernel.clone().requires_grad_();
  const at::Tensor b64 = c.bias ? shift.clone().requires_grad_() : at::Tensor();

  const at::Tensor result = kernels::conv3d(x, w, b, c.stride, c.padding, c.dilation);
  const at::Tensor expected = at::conv3d(x64, w64, b64, c.stride, c.padding, c.dilation);
  ASSERT_EQ(result.sizes(), expected.sizes());
  EXPECT_TRUE(result.is_contiguous(c.layout));
  const auto error = [](const at::Tensor& one, const at::Tensor& other) {
    return ((one - other).abs().max() / other.abs().max()).item<double>();
  };
  EXPECT_LT(error(result, expected), 2e-6);
  const at::Tensor cotangent = at::randn(expected.sizes(), at::kDouble);
  (result * cotangent.to(at::kFloat)).sum().backward();
  (expected * cotangent).sum().backward();
  EXPECT_LT(error(x.grad(), x64.grad()), 2e-6);
  EXPECT_LT(error(w.grad(), w64.grad()), 2e-6);
  if (c.bias) {
    EXPECT_LT(error(b.grad(), b64.grad()), 2e-6);
  }
}

constexpr auto kPlanes = at::MemoryFormat::Contiguous, kLast = at::MemoryFormat::ChannelsLast3d;

INSTANTIATE_TEST_SUITE_P(Shapes, Conv3d,
                         ::testing::Values(ConvCase{1, 5, 7, 3, 1, 1, 1, kPlanes, false},
                                           ConvCase{1, 5, 7, 3, 1, 1, 1, kLast, false},
                                           ConvCase{1, 4, 8, 3, 2, 1, 1, kPlanes, true},
                                           ConvCase{1, 4, 8, 3, 2, 1, 1, kLast, true},
                                           ConvCase{1, 3, 2, 3, 1, 2, 2, kLast, false},
                                           ConvCase{1, 6, 3, 1, 1, 0, 1, kPlanes, true},
                                           ConvCase{2, 5, 7, 3, 1, 1, 1, kLast, true}));

TEST(Conv3dOfOneSample, GivesGradientsToWhatAsksForThemOnly) {
  const at::Tensor x = at::ones({1, 2, 4, 4, 4});
  const at::Tensor w = at::ones({3, 2, 3, 3, 3}).requires_grad_();
  kernels::conv3d(x, w).sum().backward();
  EXPECT_TRUE(at::allclose(w.grad(), at::full_like(w, 8)));  // 2^3 positions of the kernel
  EXPECT_FALSE(x.grad().defined());
}

TEST(Conv3dOfOneSample, RefusesASecondDerivative) {
  const at::Tensor x = at::ones({1, 2, 4, 4, 4}).requires_grad_();
  const at::Tensor y = kernels::conv3d(x, at::ones({3, 2, 3, 3, 3})).square().sum();
  EXPECT_THROW(torch::autograd::grad({y}, {x}, {}, /*retain_graph=*/true, /*create_graph=*/true),
               Error);
}

}  // namespace
}  // namespace lacuna::kernels

#include "kernels/conv3d.h"

#include <ATen/autocast_mode.h>
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

// Kernels that reach over a whole axis of the image, where oneDNN leaves parts of the gradient
// unwritten. Memory that was used before makes that visible.
TEST(Conv3dInBf16, GradientsOfTinyMapsAreWritten) {
  torch::manual_seed(5);
  for (const at::MemoryFormat layout :
       {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    for (const auto& [depth, dilation] : {std::pair{2, 1}, std::pair{5, 8}, std::pair{3, 1}}) {
      const auto own = [](const at::Tensor& value) { return value.clone().requires_grad_(); };
      const at::Tensor image = at::randn({2, 16, depth, 4, 3}).to(at::kBFloat16).to(at::kFloat);
      const at::Tensor kernel = at::randn({20, 16, 3, 3, 3}).to(at::kBFloat16).to(at::kFloat);
      const at::Tensor x = own(image.contiguous(layout)), w = own(kernel);
      const at::Tensor x32 = own(image), w32 = own(kernel);
      { std::vector<at::Tensor> used(8, at::full({20 * 16 * 27}, 1e30)); }
      at::autocast::set_autocast_enabled(at::kCPU, true);
      at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
      const at::Tensor y = kernels::conv3d(x, w, {}, 1, dilation, dilation);
      at::autocast::set_autocast_enabled(at::kCPU, false);
      at::autocast::clear_cache();
      EXPECT_EQ(y.scalar_type(), at::kBFloat16);
      const at::Tensor expected = at::conv3d(x32, w32, {}, 1, dilation, dilation);
      y.sum().backward();
      expected.sum().backward();
      const auto error = [](const at::Tensor& one, const at::Tensor& other) {
        return ((one.to(at::kFloat) - other).norm() / other.norm()).item<double>();
      };
      EXPECT_LT(error(y, expected), 0.01) << depth;
      EXPECT_LT(error(w.grad(), w32.grad()), 0.01) << depth;
      EXPECT_LT(error(x.grad(), x32.grad()), 0.01) << depth;
    }
  }
}

}  // namespace
}  // namespace lacuna::kernels

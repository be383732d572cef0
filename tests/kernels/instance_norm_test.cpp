#include "kernels/instance_norm.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::kernels {
namespace {

constexpr double kEps = 1e-5, kSlope = 0.01;

struct Result {
  at::Tensor y, x, weight, bias, residual;  // the output, then gradients
};

at::Tensor leaf(const at::Tensor& value) {
  return value.detach().clone(at::MemoryFormat::Preserve).requires_grad_();
}

// A sum over y with fixed, uneven factors that bfloat16 holds exactly.
at::Tensor objective(const at::Tensor& y) {
  const at::Tensor factors = (at::arange(y.numel(), at::kDouble).sin() * 8).round() / 8;
  return (y * factors.view(y.sizes()).to(y.dtype())).sum();
}

Result run(bool fused, const at::Tensor& x0, const at::Tensor& weight0, const at::Tensor& bias0,
           const at::Tensor& residual0, double slope) {
  const at::Tensor x = leaf(x0), weight = leaf(weight0), bias = leaf(bias0);
  const at::Tensor residual = residual0.defined() ? leaf(residual0) : at::Tensor();
  at::Tensor y;
  if (fused && residual.defined()) {
    y = instance_norm_add_act(x, weight, bias, residual, kEps, slope);
  } else if (fused) {
    y = instance_norm_act(x, weight, bias, kEps, slope);
  } else {
    y = at::instance_norm(x, weight, bias, {}, {}, true, 0, kEps, false);
    if (residual.defined()) y = y + residual;
    y = at::leaky_relu(y, slope);
  }
  objective(y).backward();
  return {y.detach(), x.grad(), weight.grad(), bias.grad(),
          residual.defined() ? residual.grad() : at::Tensor()};
}

void expect_close(const Result& a, const Result& b, double tolerance) {
  const auto near = [&](const char* what, const at::Tensor& left, const at::Tensor& right) {
    ASSERT_EQ(left.defined(), right.defined()) << what;
    if (!left.defined()) return;
    const double scale = right.to(at::kDouble).abs().max().item<double>() + 1e-30;
    const double error =
        (left.to(at::kDouble) - right.to(at::kDouble)).abs().max().item<double>() / scale;
    EXPECT_LT(error, tolerance) << what;
  };
  near("output", a.y, b.y);
  near("gradient of x", a.x, b.x);
  near("gradient of weight", a.weight, b.weight);
  near("gradient of bias", a.bias, b.bias);
  near("gradient of residual", a.residual, b.residual);
}

struct Case {
  const char* name;
  std::vector<std::int64_t> shape;
  double slope;
  bool channels_last, residual, tiny_weight;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class InstanceNorm : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    torch::manual_seed(7);
    const auto format =
        c.channels_last ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
    x_ = (at::randn(c.shape, at::kDouble) * 3 + 2).contiguous(format);
    weight_ = at::randn(c.shape[1], at::kDouble) + 0.3;
    if (c.tiny_weight) weight_[0] = 0;  // then the output does not determine the input
    bias_ = at::randn(c.shape[1], at::kDouble);
    if (c.residual) residual_ = at::randn(c.shape, at::kDouble);
  }
  Result both(bool fused, at::ScalarType type) const {
    return run(fused, x_.to(type), weight_, bias_,
               residual_.defined() ? residual_.to(type) : residual_, GetParam().slope);
  }
  at::Tensor x_, weight_, bias_, residual_;
};

TEST_P(InstanceNorm, EqualsTheCompositionInDouble) {
  expect_close(both(true, at::kDouble), both(false, at::kDouble), 1e-11);
}

TEST_P(InstanceNorm, FloatIsCloseToDouble) {
  weight_ = weight_.to(at::kFloat), bias_ = bias_.to(at::kFloat);
  const Result ours = both(true, at::kFloat);
  weight_ = weight_.to(at::kDouble), bias_ = bias_.to(at::kDouble);
  expect_close(ours, both(false, at::kDouble), 2e-5);
}

TEST_P(InstanceNorm, Bfloat16HasFloatStatistics) {
  const at::Tensor rounded = x_.to(at::kBFloat16);
  x_ = rounded.to(at::kDouble);
  if (residual_.defined()) residual_ = residual_.to(at::kBFloat16).to(at::kDouble);
  const Result exact = both(false, at::kDouble);
  // The result itself is rounded to 8 bits; statistics in bfloat16 would be off by far more.
  expect_close(both(true, at::kBFloat16), exact, 0.02);
}

TEST_P(InstanceNorm, DoesNotDependOnTheNumberOfThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = both(true, at::kFloat);
  at::set_num_threads(3);
  const Result three = both(true, at::kFloat);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.y, three.y));
  EXPECT_TRUE(at::equal(one.x, three.x));
  EXPECT_TRUE(at::equal(one.weight, three.weight));
  EXPECT_TRUE(at::equal(one.bias, three.bias));
}

TEST_P(InstanceNorm, KeepsTheLayout) {
  EXPECT_EQ(both(true, at::kFloat).y.strides(), x_.strides());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, InstanceNorm,
    testing::Values(Case{"planes", {2, 5, 3, 5, 7}, kSlope, false, false, false},
                    Case{"longer_than_a_block", {1, 3, 20, 21, 22}, kSlope, false, false, false},
                    Case{"no_activation", {2, 3, 4, 4, 4}, 1, false, false, false},
                    Case{"relu", {2, 3, 4, 4, 4}, 0, false, false, false},
                    Case{"zero_weight", {2, 3, 4, 4, 4}, kSlope, false, false, true},
                    Case{"residual", {2, 5, 3, 5, 7}, kSlope, false, true, false},
                    Case{"last", {2, 11, 3, 5, 7}, kSlope, true, false, false},
                    Case{"last_many_chunks", {2, 64, 20, 16, 16}, kSlope, true, false, false},
                    Case{"last_zero_weight", {2, 16, 3, 5, 7}, kSlope, true, false, true},
                    Case{"last_residual", {2, 24, 3, 5, 7}, kSlope, true, true, false}),
    [](const auto& tested) { return tested.param.name; });

TEST(InstanceNormAct, NormalisesByHand) {
  // [1,2,3,4]: mean 2.5, population variance 1.25 -> 1.34164 and 0.44721 (ShaSpec).
  const at::Tensor x = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 1, 1, 2, 2});
  const at::Tensor y = instance_norm_act(x, at::ones(1), at::zeros(1), kEps, 1).flatten();
  EXPECT_NEAR(y[0].item<double>(), -1.34164, 1e-5);
  EXPECT_NEAR(y[1].item<double>(), -0.44721, 1e-5);
  EXPECT_NEAR(y[3].item<double>(), 1.34164, 1e-5);
}

TEST(InstanceNormAct, OneVoxelGivesTheBiasAndNoGradientButItsOwn) {
  const at::Tensor x = at::randn({2, 4, 1, 1, 1}).requires_grad_();
  const at::Tensor weight = at::ones(4).requires_grad_();
  const at::Tensor bias = at::tensor({1.0f, -1.0f, 0.5f, 2.0f}).requires_grad_();
  const at::Tensor y = instance_norm_act(x, weight, bias, kEps, kSlope);
  EXPECT_TRUE(at::allclose(y[0].flatten(), at::tensor({1.0f, -0.01f, 0.5f, 2.0f})));
  y.sum().backward();
  EXPECT_EQ(x.grad().abs().max().item<float>(), 0);
  EXPECT_EQ(weight.grad().abs().max().item<float>(), 0);
  EXPECT_TRUE(at::allclose(bias.grad(), at::tensor({2.0f, 0.02f, 2.0f, 2.0f})));
}

TEST(InstanceNormAct, AConstantChannelGivesExactlyTheBias) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    const at::Tensor x = at::full({1, 8, 17, 9, 33}, 1.1f).contiguous(format);
    const at::Tensor bias = at::full(8, 0.25f);
    const at::Tensor y = instance_norm_act(x, at::ones(8), bias, kEps, kSlope);
    EXPECT_TRUE(at::equal(y, at::full_like(y, 0.25f)));
  }
}

TEST(InstanceNormAct, TakesViewsOfOtherTensors) {
  const at::Tensor whole = at::randn({2, 6, 4, 4, 9}, at::kDouble);
  const at::Tensor view = whole.slice(4, 0, 8, 2).transpose(2, 3);
  const at::Tensor weight = at::rand(6, at::kDouble) + 0.5, bias = at::randn(6, at::kDouble);
  expect_close(run(true, view, weight, bias, {}, kSlope),
               run(false, view, weight, bias, {}, kSlope), 1e-11);
}

TEST(InstanceNormAct, GradientsMatchFiniteDifferences) {
  torch::manual_seed(3);
  const at::Tensor x = at::randn({1, 2, 2, 2, 2}, at::kDouble);
  const at::Tensor weight = at::rand(2, at::kDouble) + 0.5, bias = at::randn(2, at::kDouble);
  const Result result = run(true, x, weight, bias, {}, kSlope);
  const auto value = [&](const at::Tensor& input) {
    return objective(instance_norm_act(input, weight, bias, kEps, kSlope)).item<double>();
  };
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const at::Tensor shift = at::zeros(x.numel(), at::kDouble);
    shift[i] = kStep;
    const at::Tensor d = shift.view(x.sizes());
    const double numeric = (value(x + d) - value(x - d)) / (2 * kStep);
    EXPECT_NEAR(result.x.flatten()[i].item<double>(), numeric, 1e-7);
  }
}

// Without scale and shift: the bits of ones and zeros, also where channels come last.
TEST(InstanceNormAct, NeedsNeitherScaleNorShift) {
  torch::manual_seed(3);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    const at::Tensor value = (at::randn({2, 5, 3, 4, 7}) * 2 + 1).contiguous(format);
    const at::Tensor one = leaf(value), other = leaf(value);
    const at::Tensor plain = instance_norm_act(one, {}, {}, kEps, 0.2);
    const at::Tensor affine = instance_norm_act(other, at::ones({5}), at::zeros({5}), kEps, 0.2);
    EXPECT_TRUE(at::equal(plain, affine));
    objective(plain).backward();
    objective(affine).backward();
    EXPECT_TRUE(at::equal(one.grad(), other.grad()));
  }
  const at::Tensor x = at::ones({1, 2, 3, 3, 3});
  EXPECT_THROW(instance_norm_act(x, at::ones({2}), {}, kEps, 0.2), Error);
  EXPECT_THROW(instance_norm_act(x, {}, at::zeros({2}), kEps, 0.2), Error);
}

TEST(InstanceNormAct, RefusesWhatItCannotDo) {
  const at::Tensor x = at::randn({1, 3, 2, 2, 2}).requires_grad_();
  EXPECT_THROW(instance_norm_act(x, at::ones(2), at::zeros(3), kEps, kSlope), Error);
  EXPECT_THROW(instance_norm_add_act(x, at::ones(3), at::zeros(3), at::ones({1, 3}), kEps, kSlope),
               Error);
  const at::Tensor y = instance_norm_act(x, at::ones(3), at::zeros(3), kEps, kSlope).sum();
  EXPECT_ANY_THROW(torch::autograd::grad({y}, {x}, {}, true, true));
}

}  // namespace
}  // namespace lacuna::kernels

#include "worker/state/optimizer.h"

#include <array>
#include <cmath>
#include <optional>

#include <gtest/gtest.h>
#include <torch/types.h>

#include "worker/state/tensor_transfer.h"

namespace lacuna::worker {
namespace {

using methods::OptimizerSpec;
using Kind = OptimizerSpec::Kind;

OptimizerSpec spec_of(Kind kind, double momentum = 0, double weight_decay = 0) {
  OptimizerSpec spec;
  spec.kind = kind;
  spec.momentum = momentum;
  spec.weight_decay = weight_decay;
  return spec;
}

// Four steps on p0 = (0.5, -1, 2) and p1 = ((0.25)) in float64 with gradient sin(1 + t + 2 i + p),
// t the step, i the parameter. The expected values are torch.optim's of torch 2.11.0 for the same.
std::vector<double> after_four_steps(const OptimizerSpec& spec, double rate,
                                     std::optional<int> without_gradient_at = std::nullopt) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  at::Tensor first = torch::tensor({0.5, -1.0, 2.0}, options).set_requires_grad(true);
  at::Tensor second = torch::tensor({0.25}, options).reshape({1, 1}).detach();
  second.set_requires_grad(true);
  Optimizer optimizer(spec, {{"first", first}, {"second", second}});
  for (int t = 0; t < 4; ++t) {
    first.mutable_grad() = at::sin(first.detach() + (1 + t));
    second.mutable_grad() =
        without_gradient_at == t ? at::Tensor() : at::sin(second.detach() + (3 + t));
    optimizer.clip();
    optimizer.step(rate);
  }
  const at::Tensor all = at::cat({first.detach().flatten(), second.detach().flatten()});
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

void expect_near(const std::vector<double>& values, const std::vector<double>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-14) << i;
}

TEST(Optimizer, SgdEqualsTorch) {
  expect_near(after_four_steps(spec_of(Kind::kSgd), 0.1),
              {0.44528557884448694, -1.2096947092248114, 2.1674550859308406, 0.4163628241884473});
}

TEST(Optimizer, SgdWithMomentumEqualsTorch) {
  expect_near(after_four_steps(spec_of(Kind::kSgd, 0.9), 0.1),
              {0.07566860084212339, -1.4453734779050538, 2.341933668743776, 0.6580818953311599});
}

TEST(Optimizer, NesterovWithWeightDecayEqualsTorch) {
  OptimizerSpec spec = spec_of(Kind::kSgd, 0.99, 0.05);
  spec.nesterov = true;
  expect_near(after_four_steps(spec, 0.1),
              {-0.2000886499371938, -1.645794637637634, 2.3607972229498326, 0.7731073609045884});
}

TEST(Optimizer, AdamEqualsTorch) {
  expect_near(after_four_steps(spec_of(Kind::kAdam, 0, 5e-4), 0.01),
              {0.4752195427518254, -1.0137028377019965, 2.011579734466578, 0.2845622267287896});
}

// Adam's first step is rate * g / (|g| + epsilon), whatever its betas; an optimiser that is made
// anew in every iteration takes it every time (MST-KDNet).
TEST(Optimizer, AFreshOptimiserTakesTheFirstStepEveryTime) {
  OptimizerSpec spec = spec_of(Kind::kAdam);
  spec.beta2 = 0.99;
  spec.fresh_each_step = true;
  at::Tensor weight =
      torch::tensor({0.5, -1.0}, at::TensorOptions().dtype(at::kDouble)).set_requires_grad(true);
  Optimizer optimizer(spec, {{"weight", weight}});
  std::vector<double> expected = {0.5, -1.0};
  for (const std::array<double, 2> gradient : {std::array{0.3, -2e-8}, std::array{-5.0, 1e-3}}) {
    weight.mutable_grad() =
        torch::tensor({gradient[0], gradient[1]}, at::TensorOptions().dtype(at::kDouble));
    optimizer.step(1e-4);
    for (std::size_t i = 0; i < 2; ++i) {
      expected[i] -= 1e-4 * gradient[i] / (std::abs(gradient[i]) + 1e-8);
      EXPECT_NEAR(weight[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-15);
    }
  }
}

TEST(Optimizer, AmsgradEqualsTorch) {
  OptimizerSpec spec = spec_of(Kind::kAdam, 0, 1e-2);
  spec.amsgrad = true;
  spec.beta1 = 0.8;
  spec.beta2 = 0.95;
  expect_near(after_four_steps(spec, 0.01),
              {0.4771547149323078, -1.014046627925457, 2.0121575791331825, 0.284673966230623});
}

TEST(Optimizer, AdamWEqualsTorch) {
  expect_near(after_four_steps(spec_of(Kind::kAdamW, 0, 0.1), 0.01),
              {0.47326921870851396, -1.0197230840967655, 2.0036414451036637, 0.2835143459606866});
}

TEST(Optimizer, ClippingEqualsTorch) {
  OptimizerSpec spec = spec_of(Kind::kSgd);
  spec.clip_norm = 0.5;
  expect_near(after_four_steps(spec, 0.1),
              {0.4871431028566354, -1.065213411078631, 2.0583796712575886, 0.3088271536656537});
}

// torch.optim leaves a parameter whose .grad is None, with its own step count.
TEST(Optimizer, WithoutDefinedZeroAParameterWithoutGradientIsLeft) {
  OptimizerSpec spec = spec_of(Kind::kAdam, 0, 5e-4);
  spec.defined_zero = false;
  expect_near(after_four_steps(spec, 0.01, 1),
              {0.4752195427518254, -1.0137028377019965, 2.011579734466578, 0.27468973967642824});
}

// With a defined zero, weight decay alone moves it: Adam's first step is the rate, whatever the
// size of the gradient.
TEST(Optimizer, WithDefinedZeroAParameterWithoutGradientDecays) {
  at::Tensor weight = torch::full({2}, 3.0).set_requires_grad(true);
  Optimizer optimizer(spec_of(Kind::kAdam, 0, 5e-4), {{"weight", weight}});
  optimizer.step(0.01);
  EXPECT_NEAR(weight[0].item<float>(), 2.99, 1e-6);
}

TEST(Optimizer, ClipReturnsTheNormBeforeAndScalesToTheLimit) {
  at::Tensor weight = torch::zeros({2}).set_requires_grad(true);
  OptimizerSpec spec = spec_of(Kind::kSgd);
  spec.clip_norm = 1;
  Optimizer optimizer(spec, {{"weight", weight}});
  weight.mutable_grad() = torch::tensor({3.0f, 4.0f});
  EXPECT_DOUBLE_EQ(optimizer.clip(), 5);
  EXPECT_NEAR(weight.grad()[0].item<float>(), 0.6, 1e-6);
  EXPECT_NEAR(weight.grad()[1].item<float>(), 0.8, 1e-6);
}

// The fused kernels walk flat memory, so strides of gradient and parameter must agree.
TEST(Optimizer, AGradientOfAnotherLayoutMeetsItsOwnElements) {
  const auto last = at::MemoryFormat::ChannelsLast3d;
  const at::Tensor values = torch::arange(48, at::kFloat).reshape({2, 3, 2, 2, 2});
  at::Tensor weight = at::zeros_like(values).contiguous(last).set_requires_grad(true);
  Optimizer optimizer(spec_of(Kind::kSgd), {{"weight", weight}});
  weight.mutable_grad() = values.contiguous();
  optimizer.step(1);
  EXPECT_TRUE(at::equal(weight.detach(), -values));
}

TEST(Optimizer, StateRestoredByNameContinuesBitEqually) {
  const auto run = [](int steps, int restore_at) {
    at::Tensor weight = torch::tensor({0.5f, -1.0f}).set_requires_grad(true);
    auto optimizer = std::make_unique<Optimizer>(spec_of(Kind::kAdam), NamedTensors{{"w", weight}});
    for (int t = 0; t < steps; ++t) {
      if (t == restore_at) {
        NamedTensors kept;
        for (auto& [name, tensor] : optimizer->state()) kept.emplace_back(name, tensor.clone());
        optimizer = std::make_unique<Optimizer>(spec_of(Kind::kAdam), NamedTensors{{"w", weight}});
        const auto fresh = optimizer->state();
        for (std::size_t i = 0; i < fresh.size(); ++i) {
          EXPECT_EQ(fresh[i].first, kept[i].first);
          at::Tensor(fresh[i].second).copy_(kept[i].second);
        }
      }
      weight.mutable_grad() = at::sin(weight.detach() + t);
      optimizer->step(0.01);
    }
    return weight.detach().clone();
  };
  EXPECT_TRUE(at::equal(run(6, -1), run(6, 3)));
}

}  // namespace
}  // namespace lacuna::worker

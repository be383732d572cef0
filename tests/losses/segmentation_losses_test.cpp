#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/cross_entropy.h"
#include "losses/region_targets.h"
#include "losses/soft_dice.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

at::Tensor target() {
  torch::manual_seed(1);
  return (torch::rand({2, 3, 2, 3, 2}) > 0.5).to(at::kDouble);
}

// ShaSpec: p = (0.5, 0.5), t = (1, 0) -> 1 - 2*0.5 / (1 + 1 + 1) = 2/3.
TEST(SoftDice, MatchesTheWorkedExample) {
  const auto logits = torch::zeros({1, 1, 1, 1, 2});
  const auto truth = torch::tensor({1.0f, 0.0f}).view({1, 1, 1, 1, 2});
  EXPECT_NEAR(soft_dice_with_logits(logits, truth).item<double>(), 2.0 / 3, 1e-7);
}

TEST(SoftDice, OfAnEmptyTargetIsOneWithoutGradient) {
  const auto logits = torch::randn({1, 1, 2, 2, 2}, torch::requires_grad());
  const auto loss = soft_dice_with_logits(logits, torch::zeros({1, 1, 2, 2, 2}));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 1);
  EXPECT_EQ(logits.grad().abs().max().item<double>(), 0);
}

TEST(SoftDice, GradientMatchesFiniteDifferences) {
  const auto truth = target();
  tests::expect_gradient([&](const at::Tensor& x) { return soft_dice_with_logits(x, truth); },
                         torch::randn(truth.sizes()));
}

// ShaSpec: all logits 0 -> 3 ln 2.
TEST(SummedCrossEntropy, MatchesTheWorkedExample) {
  const auto logits = torch::zeros({2, 3, 2, 2, 2}, at::kDouble);
  EXPECT_NEAR(summed_cross_entropy_with_logits(logits, torch::ones_like(logits)).item<double>(),
              2.0794415416798357, 1e-12);
}

TEST(SummedCrossEntropy, GradientMatchesFiniteDifferences) {
  const auto truth = target();
  tests::expect_gradient(
      [&](const at::Tensor& x) { return summed_cross_entropy_with_logits(x, truth); },
      torch::randn(truth.sizes()));
}

TEST(RegionTargets, FollowTheLabelsOfEachRegion) {
  // background, necrosis, oedema, enhancing, resection cavity
  const auto label = torch::tensor({0, 1, 2, 3, 4}, at::kByte).view({1, 1, 1, 5});
  const auto targets = region_targets(label, data::tumour_regions(), at::kFloat);
  ASSERT_EQ(targets.sizes(), (at::IntArrayRef{1, 3, 1, 1, 5}));
  const auto row = [&](int region) { return targets[0][region].flatten().to(at::kLong); };
  EXPECT_TRUE(torch::equal(row(0), torch::tensor({0, 0, 0, 1, 0})));  // ET
  EXPECT_TRUE(torch::equal(row(1), torch::tensor({0, 1, 0, 1, 0})));  // TC
  EXPECT_TRUE(torch::equal(row(2), torch::tensor({0, 1, 1, 1, 0})));  // WT
}

}  // namespace
}  // namespace lacuna::losses

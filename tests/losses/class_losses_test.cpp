// Dice and cross entropy over exclusive classes: worked examples of the RFNet and mmFormer cards.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/class_dice.h"
#include "losses/class_targets.h"
#include "losses/weighted_cross_entropy.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

// Two voxels per sample, four classes: (.7,.1,.1,.1) is of class 0, (.2,.5,.2,.1) of class 1; of
// the second sample (.9,.1,0,0) and (.6,.2,.1,.1), both of class 0.
at::Tensor probabilities(bool both) {
  const at::Tensor first =
      torch::tensor({.7, .1, .1, .1, .2, .5, .2, .1}, at::kDouble).view({1, 1, 1, 2, 4});
  const at::Tensor second =
      torch::tensor({.9, .1, 0., 0., .6, .2, .1, .1}, at::kDouble).view({1, 1, 1, 2, 4});
  return (both ? at::cat({first, second}) : first).permute({0, 4, 1, 2, 3}).contiguous();
}
ClassTargets targets(bool both) {
  const at::Tensor label = torch::tensor({0, 1, 0, 0}, at::kByte).view({2, 1, 1, 2});
  return class_targets(both ? label : label.narrow(0, 0, 1), 4, at::kDouble);
}

TEST(ClassLosses, MatchTheCardsExamples) {
  EXPECT_NEAR(weighted_cross_entropy(probabilities(false), targets(false)).item<double>(), 0.262456,
              1e-6);
  EXPECT_NEAR(class_dice_loss(class_dice_sums(probabilities(false), targets(false))).item<double>(),
              0.659539, 1e-6);
  // The second sample has one class: weight 0. Dice sums run over the batch.
  EXPECT_NEAR(weighted_cross_entropy(probabilities(true), targets(true)).item<double>(), 0.131228,
              1e-6);
  EXPECT_NEAR(class_dice_loss(class_dice_sums(probabilities(true), targets(true))).item<double>(),
              0.664717, 1e-6);
}

// A sample that does not count leaves the other's Dice, and half of its mean over two.
TEST(ClassLosses, LeaveOutSamples) {
  const at::Tensor first = torch::tensor({1.0, 0.0}, at::kDouble);
  EXPECT_NEAR(
      class_dice_loss(class_dice_sums(probabilities(true), targets(true), first)).item<double>(),
      0.659539, 1e-6);
  EXPECT_NEAR(weighted_cross_entropy(probabilities(true), targets(true), first).item<double>(),
              0.262456 / 2, 1e-6);
}

TEST(ClassLosses, TheClampEndsTheGradient) {
  // Voxel 0 is of class 0 with p = 0.001, voxel 1 of class 1 with p = 0.5; the weights are 1/2.
  at::Tensor p = torch::tensor({.001, .5, .999, .5}, at::kDouble).view({1, 2, 1, 1, 2});
  p.requires_grad_();
  const ClassTargets two =
      class_targets(torch::tensor({0, 1}, at::kByte).view({1, 1, 1, 2}), 2, at::kDouble);
  const at::Tensor loss = weighted_cross_entropy(p, two);
  EXPECT_NEAR(loss.item<double>(), (5.298317 + std::log(2.0)) / 4, 1e-6);
  loss.backward();
  EXPECT_EQ(p.grad()[0][0][0][0][0].item<double>(), 0);
  EXPECT_NEAR(p.grad()[0][1][0][0][1].item<double>(), -0.5, 1e-12);
}

TEST(ClassLosses, TakeResectionForBackground) {
  const at::Tensor label = torch::tensor({0, 4, 3, 2, 1}, at::kByte).view({1, 1, 1, 5});
  const ClassTargets made = class_targets(label, 4, at::kFloat);
  EXPECT_TRUE(at::equal(made.counts, torch::tensor({{2.f, 1.f, 1.f, 1.f}})));
  EXPECT_NEAR(made.weight[0][0][0][1].item<double>(), 0.6, 1e-6);
}

TEST(ClassLosses, GradientsMatchFiniteDifferences) {
  torch::manual_seed(2);
  const ClassTargets about =
      class_targets(torch::randint(0, 4, {2, 2, 3, 2}).to(at::kByte), 4, at::kDouble);
  const at::Tensor logits = torch::randn({2, 4, 2, 3, 2});
  tests::expect_gradient(
      [&](const at::Tensor& x) {
        return class_dice_loss(class_dice_sums(x.softmax(1), about)) +
               weighted_cross_entropy(x.softmax(1), about);
      },
      logits);
}

}  // namespace
}  // namespace lacuna::losses

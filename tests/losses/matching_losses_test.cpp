// Numbers of MST-KDNet's losses, worked out by hand.
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/extreme_value_distillation.h"
#include "losses/gram.h"
#include "losses/ramp.h"
#include "losses/squared_dice.h"
#include "losses/standardised_logits.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

at::Tensor values(std::vector<double> numbers, at::IntArrayRef shape) {
  return torch::tensor(numbers, at::kDouble).view(shape);
}

TEST(SquaredDice, OfTheWorkedExampleAndOfAnAbsentClass) {
  const auto p = values({.8, .4, .1, 0, .8, .4, .1, 0}, {1, 2, 1, 2, 2}).requires_grad_();
  const auto y = values({1, 1, 0, 0, 0, 0, 0, 0}, {1, 2, 1, 2, 2});
  const auto loss = squared_dice(p, y);
  EXPECT_NEAR(loss[0].item<double>(), 0.1459075, 5e-8);
  EXPECT_EQ(loss[1].item<double>(), 1);
  loss[1].backward();
  EXPECT_EQ(p.grad().abs().max().item<double>(), 0);
}

TEST(GaussianRamp, HasTheCardsValues) {
  EXPECT_NEAR(gaussian_ramp(0, 20, 10), 0.0673795, 5e-8);
  EXPECT_NEAR(gaussian_ramp(10, 20, 10), 2.8650480, 5e-8);
  EXPECT_NEAR(gaussian_ramp(19, 20, 10), 9.8757780, 5e-8);
  EXPECT_EQ(gaussian_ramp(20, 20, 10), 10);
  EXPECT_EQ(gaussian_ramp(99, 20, 10), 10);
}

TEST(StandardisedLogits, AlongTheLastAxisAsPublished) {
  const auto teacher = values({1, 3, 4, 0}, {1, 2, 1, 1, 2});
  const auto student = values({0, 2, 0, 5}, {1, 2, 1, 1, 2});
  const auto loss = [&](bool towards_student) {
    return standardised_logit_distillation(teacher, student,
                                           {.axis = -1, .towards_student = towards_student})
        .item<double>();
  };
  EXPECT_NEAR(loss(true), 0.1247880, 5e-7);
  EXPECT_NEAR(loss(false), 0.1243651, 5e-7);
}

TEST(StandardisedLogits, OverClassesIgnoresOffsetAndScale) {
  const auto teacher = values({2, 0, -1, 3}, {1, 4, 1, 1, 1});
  const auto student = values({1, 0, 0, 1}, {1, 4, 1, 1, 1});
  const double loss = standardised_logit_distillation(teacher, student).item<double>();
  EXPECT_NEAR(loss, 9.611218e-3, 5e-9);
  EXPECT_NEAR(
      standardised_logit_distillation(teacher, student, {.towards_student = true}).item<double>(),
      9.615873e-3, 5e-9);
  EXPECT_NEAR(standardised_logit_distillation(3 * teacher + 5, student - 2).item<double>(), loss,
              1e-6);
}

TEST(StandardisedLogits, HasTheGradientOfItsDifferences) {
  torch::manual_seed(3);
  const auto teacher = torch::randn({2, 3, 1, 2, 2}, at::kDouble);
  tests::expect_gradient(
      [&](const at::Tensor& x) { return standardised_logit_distillation(teacher, x); },
      torch::randn({2, 3, 1, 2, 2}, at::kDouble));
}

TEST(ExtremeValueDistillation, OfTwoTaps) {
  const std::vector<at::Tensor> teacher = {values({.9, .1, .3, .7}, {1, 1, 2, 2}),
                                           values({.5, .5, .2, .8}, {1, 1, 2, 2})};
  const std::vector<at::Tensor> student = {values({.6, .4, .3, .7}, {1, 1, 2, 2}),
                                           values({.5, .5, .4, .6}, {1, 1, 2, 2})};
  EXPECT_NEAR(extreme_value_distillation(teacher, student, ExtremesOver::kTaps).item<double>(),
              0.1532875, 1e-12);
}

// One head: maximum, minimum and mean over heads are the map itself, so each EV is its square.
TEST(ExtremeValueDistillation, OverTheHeadsOfEachTap) {
  const std::vector<at::Tensor> teacher = {values({.9, .1}, {1, 1, 1, 2})};
  const std::vector<at::Tensor> student = {values({.6, .4}, {1, 1, 1, 2})};
  const double expected = 3 * (0.45 * 0.45 + 0.15 * 0.15) / 2;
  EXPECT_NEAR(extreme_value_distillation(teacher, student, ExtremesOver::kHeads).item<double>(),
              expected, 1e-12);
}

class GramTest : public ::testing::Test {
 protected:
  static at::Tensor rows(std::vector<double> numbers) { return values(numbers, {1, 2, 1, 1, 2}); }
  const std::vector<at::Tensor> teacher_ = {rows({1, 0, 0, 1}), rows({1, 1, 0, 2}),
                                            rows({2, 0, 1, 1})};
  const std::vector<at::Tensor> student_ = {rows({1, 0, 0, 1}), rows({0, 1, 0, 2}),
                                            rows({2, 0, 0, 1})};
};

TEST_F(GramTest, MatchingIsThatOfTheCard) {
  EXPECT_NEAR(gram_matching(teacher_, student_).item<double>(), 2.734375e-6, 1e-15);
  EXPECT_NEAR(gram_matching({teacher_[1]}, {student_[1]}).item<double>(), 3.90625e-7, 1e-15);
}

TEST_F(GramTest, MeanMatchingAveragesTheEntries) {
  // Squared Frobenius differences 0.0625, 0.0625, 0.3125 over 4 entries each.
  EXPECT_NEAR(mean_gram_matching(teacher_, student_).item<double>(), 0.4375 / 4, 1e-12);
}

// Autocast makes products of matrices short whatever their factors are.
TEST_F(GramTest, AutocastLeavesItsProductsAlone) {
  torch::manual_seed(6);
  const at::Tensor a = torch::randn({1, 4, 5, 6, 7}), b = torch::randn({1, 3, 5, 6, 7});
  const at::Tensor expected = gram(a, b);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor under = gram(a, b);
  const bool still_on = at::autocast::is_autocast_enabled(at::kCPU);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_TRUE(torch::equal(under, expected));
  EXPECT_TRUE(still_on);
}

TEST_F(GramTest, SamplesCountAlike) {
  const auto twice = [](const std::vector<at::Tensor>& features) {
    std::vector<at::Tensor> result;
    for (const auto& each : features) result.push_back(at::cat({each, each}));
    return result;
  };
  EXPECT_NEAR(gram_matching(twice(teacher_), twice(student_)).item<double>(), 2.734375e-6, 1e-15);
}

}  // namespace
}  // namespace lacuna::losses

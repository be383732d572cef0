#include "losses/pairwise_distillation.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "tests/losses/example_features.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

// Softmax weights (0.2, 0.2, 0.4, 0.2): T1c is worth two of the others.
at::Tensor ratio() {
  const auto w = torch::tensor({0.2, 0.2, 0.4, 0.2}, at::kDouble);
  return w.view({4, 1}) / w.view({1, 4});
}

double value(data::SubsetMask subset, const at::Tensor& r) {
  return pairwise_distillation(features(), r, {subset}).item<double>();
}

// Worked by hand for MCKD.
TEST(PairwiseDistillation, MatchesTheWorkedExample) {
  EXPECT_NEAR(value(kAll, ratio()), 50.5, 1e-12);
  EXPECT_NEAR(value(kFlairT1c, ratio()), 7.5, 1e-12);
}

// Worked by hand for MCKD.
TEST(PairwiseDistillation, OfOneModalityIsZero) {
  for (int m = 0; m < 4; ++m) EXPECT_EQ(value(1u << m, ratio()), 0);
}

// MCKD: |1-2|+|1-4|+|1-8|+|2-4|+|2-8|+|4-8| = 23.
TEST(PairwiseDistillation, WithEqualWeightsCountsEachPairTwice) {
  EXPECT_NEAR(value(kAll, torch::ones({4, 4}, at::kDouble)), 46, 1e-12);
}

// MCKD: per element of f_j times the element count.
TEST(PairwiseDistillation, OnlyTheLearnerGetsAGradient) {
  const auto x = features().requires_grad_();
  auto r = ratio().requires_grad_();
  pairwise_distillation(x, r, {kAll}).backward();
  const auto gradient = x.grad().flatten(2).sum(2)[0];
  EXPECT_TRUE(torch::allclose(gradient, torch::tensor({-4.0, -2.0, 0.5, 4.0}, at::kDouble)));
  EXPECT_FALSE(r.grad().defined());

  const auto y = features().requires_grad_();
  DistillationOptions options;
  options.detach_teacher = false;
  pairwise_distillation(y, ratio(), {kAll}, options).backward();
  EXPECT_NEAR(y.grad().flatten(2).sum(2)[0][0].item<double>(), -6.5, 1e-12);
}

// Features of 8 bits, as autocast leaves them: what is compared is rounded, the distances are not.
TEST(PairwiseDistillation, OfShortTypesIsTakenInFloat) {
  torch::manual_seed(4);
  const auto x = torch::randn({2, 4, 6, 5, 3}).to(at::kBFloat16);
  const auto r = ratio().to(at::kFloat);
  const auto short_type = pairwise_distillation(x, r, {kAll, kFlairT1c});
  EXPECT_EQ(short_type.scalar_type(), at::kFloat);
  EXPECT_EQ(short_type.item<float>(),
            pairwise_distillation(x.to(at::kFloat), r, {kAll, kFlairT1c}).item<float>());
}

TEST(PairwiseDistillation, IsTheMeanOverSamplesWithSubsetsOfTheirOwn) {
  const auto two = features().expand({2, 4, 2, 3});
  EXPECT_NEAR(pairwise_distillation(two, ratio(), {kAll, kFlairT1c}).item<double>(),
              (50.5 + 7.5) / 2, 1e-12);
}

TEST(PairwiseDistillation, SquaredDistanceOfTheWorkedExample) {
  DistillationOptions options;
  options.distance = DistillationOptions::Distance::kSquared;
  EXPECT_NEAR(pairwise_distillation(features(), ratio(), {kFlairT1c}, options).item<double>(),
              9 * (2 + 0.5), 1e-12);
}

TEST(PairwiseDistillation, GradientMatchesFiniteDifferences) {
  torch::manual_seed(2);
  const auto x = torch::randn({2, 4, 2, 3}, at::kDouble);
  for (const auto distance :
       {DistillationOptions::Distance::kAbsolute, DistillationOptions::Distance::kSquared}) {
    DistillationOptions options;
    options.distance = distance;
    options.detach_teacher = false;  // a detached teacher is no function of its argument
    tests::expect_gradient(
        [&](const at::Tensor& f) {
          return pairwise_distillation(f, ratio(), {kAll, kFlairT1c}, options);
        },
        x);
  }
}

}  // namespace
}  // namespace lacuna::losses

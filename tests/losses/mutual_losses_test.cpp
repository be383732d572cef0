// Losses between two networks: worked examples of the SMML card (its vectors:
// tests/methods/smml/parity_test.cpp).
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/channel_kl.h"
#include "losses/class_targets.h"
#include "losses/prototype_relation.h"
#include "losses/selective_kl.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

// Two voxels of classes 0 and 1: logits N x 2 x 1 x 1 x 2.
at::Tensor voxels(std::vector<double> values) {
  return torch::tensor(values, at::kDouble).view({1, 1, 1, 2, 2}).permute({0, 4, 1, 2, 3});
}
const at::Tensor& first() {
  static const at::Tensor z = voxels({2, 0, 0, 1});
  return z;
}
const at::Tensor& second() {
  static const at::Tensor z = voxels({1, 0, 0, 3});
  return z;
}
at::Tensor truth() {
  return class_targets(torch::tensor({0, 1}, at::kByte).view({1, 1, 1, 2}), 2, at::kDouble).one_hot;
}

std::vector<double> selective(const at::Tensor& one, const at::Tensor& two,
                              const SelectiveKl& options = {}) {
  const at::Tensor loss = selective_kl_loss(selective_kl_sums(one, two, truth(), options).sum(0));
  return {loss[0].item<double>(), loss[1].item<double>()};
}

// Card 10.4.
TEST(SelectiveKl, MatchesTheCardsExample) {
  const at::Tensor sums = selective_kl_sums(first(), second(), truth());
  EXPECT_EQ(sums[0][0][1].item<double>(), 1);
  EXPECT_EQ(sums[0][1][1].item<double>(), 1);
  EXPECT_NEAR(selective(first(), second())[0], 0.0136048, 1e-7);
  EXPECT_NEAR(selective(first(), second())[1], 0.0034284, 1e-7);
  EXPECT_NEAR(selective(first(), second(), {.from_teacher = true})[0], 0.0133582, 1e-7);
  EXPECT_NEAR(selective(first(), second(), {.from_teacher = true})[1], 0.0034049, 1e-7);
  EXPECT_NEAR(selective(first(), second(), {.scaled = true})[0], 36 * 0.0136048, 1e-5);
}

TEST(SelectiveKl, OfEqualNetworksIsZeroAndFinite) {
  const at::Tensor sums = selective_kl_sums(first(), first(), truth());
  EXPECT_EQ(sums[0][0][1].item<double>(), 0);  // a tie is none of the first network's
  EXPECT_EQ(sums[0][1][1].item<double>(), 2);
  EXPECT_EQ(selective(first(), first()), (std::vector<double>{0, 0}));
}

TEST(SelectiveKl, MovesItsOwnNetworkAlone) {
  const at::Tensor one = first().clone().set_requires_grad(true);
  const at::Tensor two = second().clone().set_requires_grad(true);
  selective_kl_loss(selective_kl_sums(one, two, truth()).sum(0))[0].backward();
  EXPECT_GT(one.grad().abs().sum().item<double>(), 0);
  EXPECT_TRUE(!two.grad().defined() || two.grad().abs().sum().item<double>() == 0);
  // T does not change around these values.
  const at::Tensor other = second();
  for (const bool teacher : {false, true}) {
    const SelectiveKl options{.from_teacher = teacher};
    const auto own = [&](const at::Tensor& z) {
      return selective_kl_loss(selective_kl_sums(z, other, truth(), options).sum(0))[0];
    };
    tests::expect_gradient(own, first());
  }
}

// Card 10.5.
TEST(RefinementKl, MatchesTheCardsExample) {
  EXPECT_NEAR(channel_kl(first(), second())[0].item<double>(), 0.170170, 1e-6);
  EXPECT_NEAR(channel_kl(second(), first())[0].item<double>(), 0.126215, 1e-6);
}

// Card 10.6 and 10.7.
TEST(PrototypeRelation, MatchesTheCardsExamples) {
  const at::Tensor w1 = class_entropy(first()), w2 = class_entropy(second());
  EXPECT_NEAR(w1[0][0].item<double>(), 0.464988, 1e-6);
  EXPECT_NEAR(w1[0][1].item<double>(), 0.482549, 1e-6);
  EXPECT_NEAR(w2[0][0].item<double>(), 0.373595, 1e-6);
  EXPECT_NEAR(w2[0][1].item<double>(), 0.399474, 1e-6);
  const at::Tensor weights = (w1 + w2) / 2;
  const at::Tensor all = torch::ones({1, 2}, at::kDouble);
  const at::Tensor one = torch::tensor({1., 0., 0., 1.}, at::kDouble).view({1, 2, 2});
  const at::Tensor two = torch::tensor({1., 0., 1., 1.}, at::kDouble).view({1, 2, 2});
  EXPECT_TRUE(
      at::allclose(relation_distances(one, two, all), torch::full({1, 2}, .5, at::kDouble)));
  EXPECT_NEAR(prototype_relation(one, two, weights, all).item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(prototype_relation(one, two, weights, all, false).item<double>(), 0.430151, 1e-6);

  const at::Tensor a = torch::tensor({1., 0., 0., 1., 1., 1., 0., 2.}, at::kDouble).view({2, 2, 2});
  const at::Tensor b = torch::tensor({1., 0., 1., 1., 0., 1., 0., 1.}, at::kDouble).view({2, 2, 2});
  const at::Tensor four = torch::ones({2, 2}, at::kDouble);
  const at::Tensor expected =
      torch::tensor({1.000000, 0.585786, 0.585786, 0.171573}, at::kDouble).view({2, 2});
  EXPECT_LT((relation_distances(a, b, four) - expected).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(prototype_relation(a, b, four, four).item<double>(), 0.585786, 1e-6);
  EXPECT_NEAR(prototype_relation(b, a, four, four).item<double>(), 0.585786, 1e-6);
  EXPECT_NEAR(prototype_relation(a, a * 3.5, four, four).item<double>(), 0, 1e-12);
}

// Card 10.8.
TEST(PrototypeRelation, AnAbsentClassHasNeitherRowNorColumn) {
  torch::manual_seed(2);
  const at::Tensor one = torch::randn({1, 3, 5}, at::kDouble),
                   two = torch::randn({1, 3, 5}, at::kDouble);
  const at::Tensor weights = torch::rand({1, 3}, at::kDouble) + 0.1;
  const at::Tensor present = torch::tensor({1., 0., 1.}, at::kDouble).view({1, 3});
  const at::Tensor kept = torch::tensor({0, 2}, at::kLong);
  const auto of = [&](const at::Tensor& x) { return x.index_select(1, kept); };
  EXPECT_NEAR(prototype_relation(one, two, weights, present).item<double>(),
              prototype_relation(of(one), of(two), of(weights), torch::ones({1, 2}, at::kDouble))
                  .item<double>(),
              1e-12);
  const at::Tensor lone = torch::tensor({1., 0., 0.}, at::kDouble).view({1, 3});
  EXPECT_NEAR(prototype_relation(one, two, weights, lone).item<double>(), 0, 1e-12);
  // Zero rows, as class_prototypes() leaves them, give a finite gradient.
  at::Tensor point = (one * present.unsqueeze(2)).set_requires_grad(true);
  prototype_relation(point, two, weights, present).backward();
  EXPECT_TRUE(point.grad().isfinite().all().item<bool>());
  EXPECT_EQ(point.grad()[0][1].abs().sum().item<double>(), 0);
}

TEST(PrototypeRelation, PrototypesAreMeansOverTheCellsOfAClass) {
  // Cells of two voxels along W; classes of first voxels 0, 1, 1; shares of class 1: 0, 1/2, 1.
  const at::Tensor one_hot =
      class_targets(torch::tensor({0, 0, 1, 0, 1, 1}, at::kByte).view({1, 1, 1, 6}), 3, at::kDouble)
          .one_hot;
  const at::Tensor features =
      torch::tensor({1., 2., 4., 10., 20., 40.}, at::kDouble).view({1, 2, 1, 1, 3});
  const at::Tensor nearest = class_cells(one_hot, {1, 1, 3});
  const at::Tensor mean = class_prototypes(features, nearest);
  ASSERT_EQ(mean.sizes(), (at::IntArrayRef{1, 3, 2}));
  EXPECT_EQ(mean[0][0][0].item<double>(), 1);
  EXPECT_EQ(mean[0][1][1].item<double>(), 30);
  EXPECT_EQ(mean[0][2][0].item<double>(), 0);
  EXPECT_TRUE(
      at::equal(classes_present(nearest), torch::tensor({1., 1., 0.}, at::kDouble).view({1, 3})));
  const at::Tensor area = class_prototypes(features, class_cells(one_hot, {1, 1, 3}, true));
  EXPECT_NEAR(area[0][1][0].item<double>(), (0.5 * 2 + 4) / 1.5, 1e-12);
  EXPECT_NEAR(area[0][0][0].item<double>(), (1 + 0.5 * 2) / 1.5, 1e-12);
}

}  // namespace
}  // namespace lacuna::losses

// The blocks that RFNet and its successors share: worked examples of their cards, and the modality
// fusion in shares.
#include "models/conv_unit.h"

#include <memory>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"
#include "models/modality_encoder.h"
#include "models/modality_fusion.h"

namespace lacuna::models {
namespace {

void expect_values(const at::Tensor& x, const std::vector<double>& values, double tolerance) {
  const at::Tensor flat = x.flatten();
  ASSERT_EQ(flat.numel(), static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(flat[static_cast<std::int64_t>(i)].item<double>(), values[i], tolerance) << i;
  }
}

// mmFormer: IN of (1,2,3,4), then LReLU 0.2.
TEST(ConvUnit, NormalisesAsTheCardSays) {
  const at::Tensor x = torch::tensor({1., 2., 3., 4.}, at::kDouble).view({1, 1, 1, 1, 4});
  expect_values(ConvUnit(1, 1, 1, {.slope = 1}).normalise(x),
                {-1.341635, -0.447212, 0.447212, 1.341635}, 2e-6);
  expect_values(ConvUnit(1, 1, 1, {}).normalise(x), {-0.268327, -0.089442, 0.447212, 1.341635},
                2e-6);
}

TEST(ConvUnit, TheOrderOfNormAndConvolutionIsTheStyles) {
  const torch::NoGradGuard no_grad;
  const at::Tensor x = torch::tensor({1., 2., 3., 4.}).view({1, 1, 1, 1, 4});
  ConvUnit first(1, 1, 1, {.norm_first = true}), last(1, 1, 1, {});
  for (ConvUnit* unit : {&first, &last}) {
    unit->conv->weight.fill_(10);
    unit->conv->bias.fill_(7);
  }
  expect_values(first.forward(x), {4.31673, 6.10558, 11.47212, 20.41635}, 2e-5);
  expect_values(last.forward(x), {-0.268327, -0.089442, 0.447212, 1.341635}, 2e-5);
}

// Check 4: (a,b,c) is seen as (b,a,b,c,b), or between zeros.
TEST(BiasedConv, MirrorsItsBorderOrPadsWithZeros) {
  const torch::NoGradGuard no_grad;
  // Along the last axis weights (1, 10, 100); the other axes see the middle alone.
  const auto run = [](Border border) {
    const auto conv = plain_conv(1, 1, 3, border);
    conv->weight.view({3, 3, 3})[1][1].copy_(torch::tensor({1.f, 10.f, 100.f}));
    const at::Tensor row = torch::tensor({1.f, 2.f, 3.f}).view({1, 1, 1, 1, 3});
    return conv->forward(row.expand({1, 1, 2, 2, 3}))[0][0][1][1];
  };
  expect_values(run(Border::kReflect), {212, 321, 232}, 1e-4);
  expect_values(run(Border::kZeros), {210, 321, 32}, 1e-4);
}

// Check 4: up x2 of (0,1) = (0, 1/3, 2/3, 1).
TEST(Enlarge, PutsCornersOnCorners) {
  const at::Tensor x = torch::tensor({0., 1.}, at::kDouble).view({1, 1, 1, 1, 2});
  const at::Tensor y = enlarge(x);
  EXPECT_EQ(y.sizes(), (at::IntArrayRef{1, 1, 2, 2, 4}));
  expect_values(y[0][0][1][0], {0, 1. / 3, 2. / 3, 1}, 1e-12);
}

// Mean squares 2 / fan_in; mmFormer card 2.7: deviation 0.27217 of 27 inputs, 0.09623 of 216.
TEST(InitialiseKaiming, FollowsTheInputs) {
  torch::manual_seed(1);
  const auto encoder = std::make_shared<ModalityEncoder>(doubling_channels(64, 2, 1, 2),
                                                         UnitStyle{.norm_first = true});
  initialise_kaiming(*encoder);
  auto parameters = encoder->named_parameters();
  EXPECT_NEAR(parameters["e1_c1.weight"].std().item<double>(), 0.27217, 0.02);
  EXPECT_NEAR(parameters["e1_c2.conv.weight"].std().item<double>(), 0.27217 / 8, 1e-3);
  EXPECT_LE(parameters["e1_c1.bias"].abs().max().item<double>(), 1 / std::sqrt(27.0));
  EXPECT_GT(parameters["e1_c1.bias"].abs().max().item<double>(), 0.1);
}

TEST(ModalityEncoder, HalvesTheExtentAndAddsTheShortcut) {
  const torch::NoGradGuard no_grad;
  const auto encoder =
      std::make_shared<ModalityEncoder>(std::vector<std::int64_t>{4, 6, 8}, UnitStyle{});
  initialise_kaiming(*encoder);
  const auto levels = encoder->forward(torch::randn({2, 1, 8, 12, 16}));
  ASSERT_EQ(levels.size(), 3u);
  EXPECT_EQ(levels[0].sizes(), (at::IntArrayRef{2, 4, 8, 12, 16}));
  EXPECT_EQ(levels[1].sizes(), (at::IntArrayRef{2, 6, 4, 6, 8}));
  EXPECT_EQ(levels[2].sizes(), (at::IntArrayRef{2, 8, 2, 3, 4}));
  EXPECT_LT(levels[0].min().item<double>(), 0);  // no activation after the sum
}

TEST(DoublingChannels, AreThoseOfTheCardsAndNeverNone) {
  EXPECT_EQ(doubling_channels(16, 4, 1, 4), (std::vector<std::int64_t>{16, 32, 64, 128}));
  EXPECT_EQ(doubling_channels(8, 5, 1, 2), (std::vector<std::int64_t>{8, 16, 32, 64, 128}));
  EXPECT_EQ(doubling_channels(16, 4, 0.05, 4), (std::vector<std::int64_t>{4, 4, 4, 8}));
}

TEST(ModalityFusion, TheSharesAddUpToTheWhole) {
  torch::manual_seed(1);
  const torch::NoGradGuard no_grad;
  const auto made = std::make_shared<ModalityFusion>(3, 4, UnitStyle{});
  initialise_kaiming(*made);
  made->to(at::kDouble);
  const ModalityFusion& fusion = *made;
  at::Tensor x = torch::randn({2, 12, 3, 4, 5}, at::kDouble);
  x.narrow(1, 4, 4).zero_();  // the second modality is missing
  at::Tensor sum;
  for (const std::int64_t m : {0, 2}) {
    const at::Tensor share = fusion.share(m, x.narrow(1, 4 * m, 4));
    sum = sum.defined() ? sum + share : share;
  }
  EXPECT_EQ(fusion.share(1, x.narrow(1, 4, 4)).abs().max().item<double>(), 0);
  EXPECT_LT((fusion.from_shares(sum) - fusion.forward(x)).abs().max().item<double>(), 1e-12);
}

}  // namespace
}  // namespace lacuna::models

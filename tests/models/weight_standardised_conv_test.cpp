#include "models/weight_standardised_conv.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace lacuna::models {
namespace {

// Worked by hand for ShaSpec.
TEST(WeightStandardisedConv, StandardisesEachOutputChannel) {
  WeightStandardisedConv conv({.in = 4, .out = 1});
  const torch::NoGradGuard no_grad;
  conv.weight.copy_(torch::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 4, 1, 1, 1}));
  EXPECT_TRUE(torch::allclose(conv.standard_weight().flatten(),
                              torch::tensor({-1.16190f, -0.38730f, 0.38730f, 1.16190f}), 1e-4));
}

TEST(WeightStandardisedConv, IgnoresTheScaleOfItsWeights) {
  torch::manual_seed(1);
  WeightStandardisedConv conv({.in = 3, .out = 5, .kernel = 3, .padding = 1});
  const torch::NoGradGuard no_grad;
  conv.weight.normal_();
  const auto x = torch::randn({1, 3, 4, 5, 6});
  const auto y = conv.forward(x);
  conv.weight.mul_(10);
  EXPECT_LT((conv.forward(x) - y).abs().max().item<double>(), 1e-4);
}

TEST(WeightStandardisedConv, MapsOnesToZeroWithoutNeighbours) {
  torch::manual_seed(2);
  WeightStandardisedConv conv({.in = 6, .out = 4});
  const torch::NoGradGuard no_grad;
  conv.weight.normal_();
  EXPECT_LT(conv.forward(torch::ones({1, 6, 2, 2, 2})).abs().max().item<double>(), 1e-5);
}

// ShaSpec: a dilation that leaves only the centre tap on the map. The others act
// through the statistics alone.
TEST(WeightStandardisedConv, AWideDilationOnASmallMapIsItsCentreTap) {
  torch::manual_seed(3);
  WeightStandardisedConv conv({.in = 3, .out = 4, .kernel = 3, .padding = 8, .dilation = 8});
  const torch::NoGradGuard no_grad;
  conv.weight.normal_();
  const auto x = torch::randn({1, 3, 5, 5, 5});
  const auto centre = conv.standard_weight().select(4, 1).select(3, 1).select(2, 1);
  const auto expected = torch::einsum("oi,nidhw->nodhw", {centre, x});
  EXPECT_LT((conv.forward(x) - expected).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace lacuna::models

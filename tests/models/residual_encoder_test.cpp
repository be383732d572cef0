// Shapes and degenerate parts of the encoder that ShaSpec and MCKD share.
#include "models/residual_encoder.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"

namespace lacuna::models {
namespace {

// 4, 16, 32, 64, 80 channels; bottleneck 16.
std::shared_ptr<ResidualEncoder> narrow_encoder() {
  torch::manual_seed(1);
  auto encoder = std::make_shared<ResidualEncoder>(1, 0.0625);
  initialise_fan_out(*encoder);
  return encoder;
}

TEST(ResidualEncoder, HasTheStridesOfTheCard) {
  const torch::NoGradGuard no_grad;
  const auto out = narrow_encoder()->forward(torch::randn({2, 1, 32, 64, 96}));
  EXPECT_EQ(out.skips[0].sizes(), (at::IntArrayRef{2, 4, 32, 32, 48}));
  EXPECT_EQ(out.skips[1].sizes(), (at::IntArrayRef{2, 16, 16, 16, 24}));
  EXPECT_EQ(out.skips[2].sizes(), (at::IntArrayRef{2, 32, 8, 8, 12}));
  EXPECT_EQ(out.skips[3].sizes(), (at::IntArrayRef{2, 64, 4, 4, 6}));
  EXPECT_EQ(out.bottleneck.sizes(), (at::IntArrayRef{2, 16, 2, 2, 3}));
}

// Check 5, first sentence.
TEST(ResidualEncoder, OfAZeroImageIsZeroBeforeTraining) {
  const torch::NoGradGuard no_grad;
  const auto out = narrow_encoder()->forward(torch::zeros({1, 1, 16, 32, 32}));
  for (const auto& skip : out.skips) EXPECT_EQ(skip.abs().max().item<double>(), 0);
  EXPECT_EQ(out.bottleneck.abs().max().item<double>(), 0);
}

// Check 4, first sentence, and the correction to it: the constant branch teaches nothing.
TEST(ResidualEncoder, TheGlobalBranchGetsNoGradient) {
  auto encoder = narrow_encoder();
  const auto out = encoder->forward(torch::randn({1, 1, 32, 64, 64}));
  out.bottleneck.square().sum().backward();
  const auto parameters = encoder->named_parameters();
  for (const char* name : {"aspp.branch5_conv.weight", "aspp.branch5_norm.weight"}) {
    const auto& gradient = parameters[name].grad();
    EXPECT_TRUE(!gradient.defined() || gradient.abs().max().item<double>() == 0) << name;
  }
  EXPECT_GT(parameters["aspp.branch1.0.weight"].grad().abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace lacuna::models

#include "losses/channel_kl.h"

#include <cmath>

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace lacuna::losses {
namespace {

// One voxel, two channels.
at::Tensor voxel(double first, double second) {
  return torch::tensor({first, second}, at::kDouble).view({1, 2, 1});
}

// CCSD, worked by hand: P = (3/4, 1/4) against (1/2, 1/2).
TEST(ChannelKl, MatchesTheWorkedNumbers) {
  const at::Tensor teacher = voxel(std::log(3.0), 0), student = voxel(0, 0);
  const auto value = [&](const at::Tensor& t, const at::Tensor& s, double temperature) {
    return channel_kl(t, s, {.temperature = temperature}).item<double>();
  };
  EXPECT_NEAR(value(teacher, student, 1), 0.130812, 1e-6);
  EXPECT_NEAR(value(teacher, student, 2), 0.036341, 1e-6);
  EXPECT_NEAR(value(teacher, student, 4), 0.009341, 1e-6);
  EXPECT_NEAR(value(student, teacher, 1), 0.143841, 1e-6);
  EXPECT_EQ(value(teacher, teacher, 1), 0);
}

TEST(ChannelKl, IsAMeanOverVoxelsForEachSampleAndNeverNegative) {
  torch::manual_seed(1);
  const at::Tensor teacher = torch::randn({3, 5, 2, 3, 4}, at::kDouble);
  const at::Tensor student = torch::randn({3, 5, 2, 3, 4}, at::kDouble);
  const at::Tensor all = channel_kl(teacher, student, {.temperature = 2});
  ASSERT_EQ(all.sizes(), (std::vector<std::int64_t>{3}));
  for (int n = 0; n < 3; ++n) {
    double sum = 0;
    for (int v = 0; v < 24; ++v) {
      const auto of = [&](const at::Tensor& map) {
        return map[n].flatten(1).select(1, v).view({1, 5, 1});
      };
      const double one = channel_kl(of(teacher), of(student), {.temperature = 2}).item<double>();
      EXPECT_GE(one, 0);
      sum += one / 24;
    }
    EXPECT_NEAR(all[n].item<double>(), sum, 1e-12);
  }
}

TEST(ChannelKl, StandardisedMapsDifferByNeitherOffsetNorScaleOfAVoxel) {
  torch::manual_seed(2);
  const at::Tensor map = torch::randn({1, 6, 2, 2, 2}, at::kDouble);
  const at::Tensor scale = 1 + torch::rand({1, 1, 2, 2, 2}, at::kDouble);
  const at::Tensor other = map * scale + torch::randn({1, 1, 2, 2, 2}, at::kDouble);
  EXPECT_LT(channel_kl(map, other, {.standardise = true}).item<double>(), 1e-12);
  EXPECT_GT(channel_kl(map, other).item<double>(), 1e-3);
}

// Channel means: 0.75 log 1.5 + 0.25 log 0.5 and 0.
TEST(BernoulliKl, ComparesSigmoids) {
  const at::Tensor teacher = voxel(std::log(3.0), 2), student = voxel(0, 2);
  EXPECT_NEAR(bernoulli_kl(teacher, student).item<double>(), 0.130812 / 2, 1e-6);
  EXPECT_EQ(bernoulli_kl(student, student).item<double>(), 0);
  // Far out neither term becomes 0 * infinity.
  EXPECT_NEAR(bernoulli_kl(voxel(200, 0), voxel(-200, 0)).item<double>(), 100, 1e-9);
}

TEST(ChannelPeak, TellsHowSaturatedTheSoftmaxIs) {
  EXPECT_NEAR(channel_peak(voxel(std::log(3.0), 0)).item<double>(), 0.75, 1e-12);
  EXPECT_NEAR(channel_peak(voxel(400, 0)).item<double>(), 1, 1e-12);
}

TEST(ChannelKl, OfShortTypesIsTakenInFloat) {
  torch::manual_seed(3);
  const at::Tensor a = (100 * torch::randn({2, 4, 3, 3, 3})).to(at::kBFloat16);
  const at::Tensor b = (100 * torch::randn({2, 4, 3, 3, 3})).to(at::kBFloat16);
  EXPECT_TRUE(torch::equal(channel_kl(a, b, {.temperature = 4}),
                           channel_kl(a.to(at::kFloat), b.to(at::kFloat), {.temperature = 4})));
}

}  // namespace
}  // namespace lacuna::losses

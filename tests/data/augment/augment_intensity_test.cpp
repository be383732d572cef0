#include "data/augment/augment_intensity.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace lacuna::data {
namespace {

std::vector<float> example(std::size_t count) {
  Stream stream(1, Purpose::kTest, 0);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(stream.uniform(-2, 5)));
  }
  return values;
}

TEST(AugmentIntensity, GainThenOffset) {
  std::vector<float> values = {1, 2, -4};
  scale_and_shift(values.data(), values.size(), 0.5f, 1);
  EXPECT_EQ(values, (std::vector<float>{1.5f, 2, -1}));
}

// Mean 2, range [0, 4]: (v - 2) * 1.5 + 2, cut at 0 and 4.
TEST(AugmentIntensity, ContrastStretchesAboutTheMeanAndKeepsTheRange) {
  std::vector<float> values = {0, 1, 2, 3, 4};
  change_contrast(values.data(), values.size(), 1.5f);
  EXPECT_EQ(values, (std::vector<float>{0, 0.5f, 2, 3.5f, 4}));
  values = {0, 1, 2, 3, 4};
  change_contrast(values.data(), values.size(), 0.5f);
  EXPECT_EQ(values, (std::vector<float>{1, 1.5f, 2, 2.5f, 3}));
}

// batchgenerators' augment_gamma in double precision, with the mean restored last.
TEST(AugmentIntensity, GammaFollowsThePublishedFormulaAndKeepsStatistics) {
  for (const float gamma : {0.7f, 1.5f}) {
    std::vector<float> values = example(10007);
    const std::vector<double> v(values.begin(), values.end());
    const auto moments = [](const std::vector<double>& of) {
      double mean = 0, squares = 0;
      for (const double x : of) mean += x / static_cast<double>(of.size());
      for (const double x : of) squares += (x - mean) * (x - mean) / static_cast<double>(of.size());
      return std::pair(mean, std::sqrt(squares));
    };
    const auto [mean, deviation] = moments(v);
    const double low = *std::min_element(v.begin(), v.end());
    const double range = *std::max_element(v.begin(), v.end()) - low + 1e-7;
    std::vector<double> expected;
    for (const double x : v) expected.push_back(std::pow((x - low) / range, gamma) * range + low);
    const auto [changed_mean, changed_deviation] = moments(expected);
    for (double& x : expected) {
      x = (x - changed_mean) / (changed_deviation + 1e-8) * deviation + mean;
    }
    change_gamma(values.data(), values.size(), gamma);
    for (std::size_t i = 0; i < v.size(); ++i) EXPECT_NEAR(values[i], expected[i], 2e-5);
  }
}

TEST(AugmentIntensity, ConstantVolumesStayFinite) {
  std::vector<float> values(100, 3.0f);
  change_gamma(values.data(), values.size(), 1.4f);
  change_contrast(values.data(), values.size(), 1.2f);
  for (const float value : values) EXPECT_FLOAT_EQ(value, 3);
}

}  // namespace
}  // namespace lacuna::data

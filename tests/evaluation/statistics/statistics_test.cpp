#include "evaluation/statistics/statistics.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::evaluation {
namespace {

template <typename Difference>
WilcoxonResult test_differences(int n, const Difference& difference) {
  std::vector<double> values;
  for (int k = 1; k <= n; ++k) values.push_back(difference(k));
  return wilcoxon(values, std::vector<double>(values.size()));
}

// Expected numbers: scipy 1.16.3, scipy.stats.wilcoxon(d, 0 * d) with d as in each test and
// k = numpy.arange(1, n + 1).
TEST(Wilcoxon, IsExactForSmallSamplesWithoutTies) {
  // d = [1, -2, 3, 4, -5, 6, 7, 8, 9, 10]
  auto result = test_differences(10, [](int k) { return k == 2 || k == 5 ? -k : k; });
  EXPECT_EQ(result.statistic, 7);
  EXPECT_NEAR(result.p, 0.037109375, 1e-15);
  EXPECT_TRUE(result.exact);
  // d = where(k % 4 == 0, -k, k) / 256
  result = test_differences(40, [](int k) { return (k % 4 == 0 ? -k : k) / 256.0; });
  EXPECT_EQ(result.statistic, 220);
  EXPECT_NEAR(result.p, 0.009781997654499719, 1e-14);
  EXPECT_TRUE(result.exact);
  // d = [1, 2, -3]
  result = test_differences(3, [](int k) { return k == 3 ? -3 : k; });
  EXPECT_EQ(result.p, 1);
}

TEST(Wilcoxon, IsExactForAFewPairsWithTiesAndZeros) {
  const double d[] = {3, -1, 2, 2, 0, 4, -2, 5, 1, 0, 6};
  auto result = test_differences(11, [&](int k) { return d[k - 1]; });
  EXPECT_EQ(result.statistic, 5.5);
  EXPECT_EQ(result.pairs, 9);
  EXPECT_NEAR(result.p, 0.05078125, 1e-15);
  // d = k * 7 % 9 - 3
  result = test_differences(12, [](int k) { return k * 7 % 9 - 3; });
  EXPECT_EQ(result.statistic, 12);
  EXPECT_NEAR(result.p, 0.12890625, 1e-15);
}

TEST(Wilcoxon, UsesTheTieCorrectedNormalApproximationForLargerSamples) {
  // d = k * 7 % 9 - 3
  auto result = test_differences(30, [](int k) { return k * 7 % 9 - 3; });
  EXPECT_EQ(result.statistic, 90);
  EXPECT_NEAR(result.p, 0.028970445609612285, 1e-14);
  EXPECT_FALSE(result.exact);
  // d = where(k % 3 == 0, -k, k) / 256
  result = test_differences(60, [](int k) { return (k % 3 == 0 ? -k : k) / 256.0; });
  EXPECT_EQ(result.statistic, 630);
  EXPECT_NEAR(result.p, 0.03590012321587811, 1e-14);
}

// scipy 1.17.1; between 13 and 50 pairs a zero or a tie decides for the approximation.
TEST(Wilcoxon, ZerosOrTiesLeaveTheExactTestAtThirteenPairs) {
  // d = where(k % 3 == 0, -k, k) / 256, d[4] = 0
  auto result =
      test_differences(20, [](int k) { return k == 5 ? 0 : (k % 3 == 0 ? -k : k) / 256.0; });
  EXPECT_EQ(result.statistic, 58);
  EXPECT_NEAR(result.p, 0.13649771056887278, 1e-14);
  EXPECT_FALSE(result.exact);
  // d = where(k % 3 == 0, -k, k), d[5] = 5
  result = test_differences(14, [](int k) { return k == 6 ? 5 : k % 3 == 0 ? -k : k; });
  EXPECT_EQ(result.statistic, 24);
  EXPECT_NEAR(result.p, 0.07352297257407742, 1e-14);
  EXPECT_FALSE(result.exact);
}

TEST(Wilcoxon, SaysNothingWhenNoPairDiffers) {
  const std::vector<double> same{0.5, 0.7};
  EXPECT_EQ(wilcoxon(same, same).p, 1);
  EXPECT_EQ(wilcoxon(same, same).pairs, 0);
  EXPECT_THROW(wilcoxon(same, std::vector<double>{0.5}), Error);
}

// By hand: 4 * 0.005, 3 * 0.01, 2 * 0.03 and 0.04 raised to its predecessor's value.
TEST(Holm, RaisesStepByStep) {
  const auto adjusted = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  const double expected[] = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15);
  EXPECT_EQ(holm(std::vector<double>{0.6, 0.7}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

}  // namespace
}  // namespace lacuna::evaluation

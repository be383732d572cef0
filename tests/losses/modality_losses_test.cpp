// The helper losses of ShaSpec.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/feature_alignment.h"
#include "losses/modality_classification.h"
#include "tests/losses/example_features.h"
#include "tests/losses/finite_difference.h"

namespace lacuna::losses {
namespace {

constexpr data::SubsetMask kFlairT1 = 0b0011;

double value(AlignedPairs pairs, data::SubsetMask subset) {
  return feature_alignment(features(), pairs, {subset}).item<double>();
}

// ShaSpec: 1 + 2 + 4 + 7.
TEST(FeatureAlignment, MatchesTheWorkedExample) {
  EXPECT_NEAR(value(AlignedPairs::kRing, kAll), 14, 1e-12);
  EXPECT_NEAR(value(AlignedPairs::kAll, kAll), 23, 1e-12);  // and |1 - 4| + |2 - 8|
}

TEST(FeatureAlignment, CountsPairsOfWhichBothAreThere) {
  EXPECT_NEAR(value(AlignedPairs::kRing, kFlairT1), 1, 1e-12);
  EXPECT_NEAR(value(AlignedPairs::kRing, kFlairT1c), 0, 1e-12);  // not neighbours
  EXPECT_NEAR(value(AlignedPairs::kAll, kFlairT1c), 3, 1e-12);
  EXPECT_NEAR(value(AlignedPairs::kAll, 0b0001), 0, 1e-12);
  const at::Tensor two = features().expand({2, 4, 2, 3});
  EXPECT_NEAR(feature_alignment(two, AlignedPairs::kRing, {kAll, kFlairT1}).item<double>(),
              (14 + 1) / 2.0, 1e-12);
}

TEST(FeatureAlignment, GradientReachesBothSides) {
  torch::manual_seed(2);
  const at::Tensor x = torch::randn({2, 4, 2, 3}, at::kDouble);
  for (const AlignedPairs pairs : {AlignedPairs::kRing, AlignedPairs::kAll}) {
    tests::expect_gradient(
        [&](const at::Tensor& f) {
          return feature_alignment(f, pairs, {kAll, kFlairT1c});
        },
        x);
  }
}

// Worked by hand for ShaSpec.
TEST(ModalityClassification, OfAClassifierWithoutWeightsIsLogFour) {
  const at::Tensor zero = torch::zeros({2, 4, 4}, at::kDouble);
  EXPECT_NEAR(modality_classification(zero, {kAll, kFlairT1}).item<double>(), std::log(4.0), 1e-12);
}

TEST(ModalityClassification, IsTheMeanOverWhatIsCounted) {
  // Modality 1 is told with odds 2 : 1 : 1 : 1, the others blindly.
  at::Tensor logits = torch::zeros({2, 4, 4}, at::kDouble);
  logits.select(1, 1).select(1, 1).fill_(std::log(2.0));
  const double blind = std::log(4.0), told = std::log(5.0 / 2);
  EXPECT_NEAR(modality_classification(logits, {kAll, kAll}).item<double>(), (3 * blind + told) / 4,
              1e-12);
  EXPECT_NEAR(modality_classification(logits, {kFlairT1, kFlairT1c}).item<double>(),
              ((blind + told) / 2 + blind) / 2, 1e-12);
}

TEST(ModalityClassification, GradientMatchesFiniteDifferences) {
  torch::manual_seed(3);
  tests::expect_gradient(
      [](const at::Tensor& x) {
        return modality_classification(x, {kAll, kFlairT1c});
      },
      torch::randn({2, 4, 4}, at::kDouble));
}

}  // namespace
}  // namespace lacuna::losses

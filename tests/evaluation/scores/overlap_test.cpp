#include "evaluation/scores/overlap.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::evaluation {
namespace {

using data::Extent;
using Labels = std::vector<std::uint8_t>;

const std::vector<data::Region> kRegions = data::tumour_regions();
constexpr Extent kExtent{40, 48, 44};

// Nested ellipsoids of oedema (2), necrosis (1) and enhancing tissue (3).
Labels tumour(double shift) {
  Labels labels(40 * 48 * 44);
  std::size_t i = 0;
  for (int d = 0; d < 40; ++d) {
    for (int h = 0; h < 48; ++h) {
      for (int w = 0; w < 44; ++w, ++i) {
        const auto within = [&](double cd, double ch, double cw, double rd, double rh, double rw) {
          const double x = (d - cd) / rd, y = (h - ch) / rh, z = (w - cw) / rw;
          return x * x + y * y + z * z <= 1;
        };
        if (within(18 + shift, 20, 22 - 2 * shift, 15, 14, 20)) labels[i] = 2;
        if (within(18, 22 + shift, 20, 9, 8, 7 + shift)) labels[i] = 1;
        if (within(20 + shift, 24, 18, 4, 6, 3 + shift)) labels[i] = 3;
      }
    }
  }
  return labels;
}

Labels prediction() {
  Labels labels = tumour(2);
  labels.back() = 3;  // a stray voxel in the corner of the volume
  return labels;
}

std::vector<RegionScore> score(const std::array<double, 3>& spacing, Hd95Definition definition,
                               int threads) {
  ScoreOptions options;
  options.hd95 = definition;
  options.threads = threads;
  return score_case(prediction(), tumour(0), kExtent, spacing, kRegions, options);
}

// MST-KDNet, on a line: published Dice with 1 on both sides, pooled HD95 with
// numpy's percentile of the distances (0, 0, 4), and 0 mm when one mask is empty.
TEST(Overlap, TheVariantsOfPublishedTables) {
  const std::vector<data::Region> region = {{"ET", 1u << 3}};
  const auto line = [](std::initializer_list<std::pair<int, int>> spans) {
    Labels labels(200);
    for (const auto& [begin, end] : spans) std::fill(&labels[begin], &labels[0] + end, 3);
    return labels;
  };
  ScoreOptions options;
  options.dice_smooth = 1;
  options.hd95 = Hd95Definition::kPooled;
  options.one_empty_mm = 0;
  const auto scored = [&](const Labels& prediction, const Labels& truth) {
    return score_case(prediction, truth, {1, 1, 200}, {1, 1, 1}, region, options)[0];
  };
  EXPECT_DOUBLE_EQ(scored(line({}), line({})).dice, 1);
  EXPECT_DOUBLE_EQ(scored(line({{0, 100}}), line({})).dice, 1.0 / 101);
  EXPECT_EQ(scored(line({{0, 100}}), line({})).hd95_mm, 0);
  EXPECT_DOUBLE_EQ(scored(line({{0, 80}}), line({{30, 90}})).dice, 101.0 / 141);
  EXPECT_NEAR(scored(line({{0, 1}}), line({{0, 1}, {4, 5}})).hd95_mm, 3.6, 1e-12);
}

// MONAI 1.5.1 compute_hausdorff_distance(percentile=95, include_background=True, spacing=...) and
// medpy 0.5.2 hd95(voxelspacing=...), dc() on the same two volumes. MONAI computes in float32.
TEST(Hd95, EqualsMonaiAndMedpy) {
  struct Expected {
    std::array<double, 3> spacing;
    double monai[3], medpy[3];
  };
  const Expected cases[] = {
      {{1, 1, 1},
       {2.8284270763397217, 2.2360680103302, 4.0},
       {2.23606797749979, 2.23606797749979, 3.7416573867739413}},
      {{2.0, 0.9, 1.3},
       {4.38292121887207, 2.7513632774353027, 5.57135534286499},
       {3.9000000000000004, 2.6, 5.571355310873648}},
  };
  const double dice[3] = {0.5263157894736842, 0.7658771745965206, 0.8221264941659773};
  for (const Expected& expected : cases) {
    for (const int threads : {1, 2}) {
      const auto directed = score(expected.spacing, Hd95Definition::kDirected, threads);
      const auto pooled = score(expected.spacing, Hd95Definition::kPooled, threads);
      for (std::size_t r = 0; r < 3; ++r) {
        EXPECT_NEAR(directed[r].hd95_mm, expected.monai[r], 1e-6);
        EXPECT_NEAR(pooled[r].hd95_mm, expected.medpy[r], 1e-12);
        EXPECT_NEAR(directed[r].dice, dice[r], 1e-15);
      }
      EXPECT_EQ(directed[0].predicted_voxels, 492);
      EXPECT_EQ(directed[0].true_voxels, 287);
    }
  }
}

TEST(Hd95, InterpolatesThePercentileAsNumpy) {
  // 21 predicted voxels in a line, truth the first of them: distances 0..20 one way, 0 the other.
  // numpy.percentile(arange(21), 95) = 19; with the 22nd value 0: percentile 95 of 22 = 18.95.
  Labels truth(30), predicted(30);
  for (std::size_t w = 0; w <= 20; ++w) predicted[w] = 3;
  truth[0] = 3;
  ScoreOptions options;
  const std::vector<data::Region> region{{"ET", 1u << 3}};
  const Extent line{1, 1, 30};
  EXPECT_EQ(score_case(predicted, truth, line, {1, 1, 1}, region, options)[0].hd95_mm, 19);
  options.hd95 = Hd95Definition::kPooled;
  EXPECT_NEAR(score_case(predicted, truth, line, {1, 1, 1}, region, options)[0].hd95_mm, 18.95,
              1e-12);
  EXPECT_NEAR(score_case(predicted, truth, line, {9, 9, 2}, region, options)[0].hd95_mm, 37.9,
              1e-12);
}

TEST(Score, FollowsTheRuleForEmptyMasks) {
  const Labels empty(8), full(8, 2);
  ScoreOptions options;
  const auto score_pair = [&](const Labels& predicted, const Labels& truth) {
    return score_case(predicted, truth, {2, 2, 2}, {1, 1, 1}, kRegions, options);
  };
  const auto both = score_pair(empty, empty)[2];
  EXPECT_EQ(both.dice, 1);
  EXPECT_EQ(both.hd95_mm, 0);
  for (const auto& one : {score_pair(full, empty)[2], score_pair(empty, full)[2]}) {
    EXPECT_EQ(one.dice, 0);
    EXPECT_EQ(one.hd95_mm, 373.13);
  }
  EXPECT_EQ(score_pair(full, full)[0].dice, 1);  // no ET in either
  options.one_empty_mm = 50;
  EXPECT_EQ(score_pair(full, empty)[2].hd95_mm, 50);
  EXPECT_EQ(describe_empty_rule(options),
            "both empty: Dice 1, HD95 0 mm; one empty: Dice 0, HD95 50 mm");
}

TEST(TruthDistances, GivesTheSameScoresInAnyOrderOfPredictions) {
  ScoreOptions options;
  const std::array<double, 3> spacing{1, 2, 1.5};
  const Labels truth = tumour(0);
  Labels far(truth.size());
  far.front() = 3;  // outside every box so far: the tables must grow
  const std::vector<Labels> predictions{tumour(1), prediction(), far, tumour(-1), tumour(0)};
  TruthDistances shared(truth, kExtent, spacing, kRegions, options);
  for (const Labels& predicted : predictions) {
    const auto alone = score_case(predicted, truth, kExtent, spacing, kRegions, options);
    const auto reused = shared.score(predicted);
    for (std::size_t r = 0; r < kRegions.size(); ++r) {
      EXPECT_EQ(alone[r].hd95_mm, reused[r].hd95_mm);
      EXPECT_EQ(alone[r].dice, reused[r].dice);
    }
  }
  EXPECT_EQ(shared.score(truth)[2].hd95_mm, 0);
  EXPECT_EQ(shared.score(prediction(), /*hd95=*/false)[2].hd95_mm, 0);
}

TEST(ParseHd95, RefusesUnknownDefinitions) {
  EXPECT_EQ(parse_hd95("pooled"), Hd95Definition::kPooled);
  EXPECT_EQ(parse_hd95(name_of(Hd95Definition::kDirected)), Hd95Definition::kDirected);
  EXPECT_THROW(parse_hd95("max"), ConfigError);
}

}  // namespace
}  // namespace lacuna::evaluation

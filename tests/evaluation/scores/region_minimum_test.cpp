#include "evaluation/scores/region_minimum.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "evaluation/scores/overlap.h"
#include "tests/evaluation/vectors.h"

namespace lacuna::evaluation {
namespace {

TEST(RegionMinimum, IsReadFromText) {
  const auto plain = parse_minimum("ET", "500");
  EXPECT_EQ(plain.name(), "ET_pp500");
  EXPECT_TRUE(plain.relabel);
  EXPECT_FALSE(parse_minimum("ET", "20:drop").relabel);
  EXPECT_EQ(parse_region_minimum("RC=7:relabel").region, "RC");
  for (const char* text : {"", "x", "0", "-3", "5:", "5:keep", "5 "}) {
    EXPECT_THROW(parse_minimum("ET", text), ConfigError) << text;
  }
  EXPECT_THROW(parse_region_minimum("500"), ConfigError);
  EXPECT_THROW(parse_region_minimum("=500"), ConfigError);
}

TEST(RegionMinimum, FewerVoxelsActAndAsManyDoNot) {
  const auto regions = data::tumour_regions();
  std::vector<std::uint8_t> labels = {3, 3, 2, 1, 0};
  EXPECT_EQ(relabel_small_regions({parse_minimum("ET", "2")}, regions, labels), 0);
  EXPECT_EQ(relabel_small_regions({parse_minimum("ET", "3:drop")}, regions, labels), 0);
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{3, 3, 2, 1, 0}));
  EXPECT_EQ(relabel_small_regions({parse_minimum("ET", "3")}, regions, labels), 1);
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{1, 1, 2, 1, 0}));
  EXPECT_THROW(relabel_small_regions({parse_minimum("TC", "3")}, regions, labels), ConfigError);
  EXPECT_THROW(relabel_small_regions({parse_minimum("RC", "3")}, regions, labels), ConfigError);
}

// Both numbers stand side by side, on all pairs and thresholds of the vectors.
TEST(RegionMinimum, BothNumbersAreScored) {
  int acted = 0;
  for (const VectorPair& pair : vector_pairs()) {
    ScoreOptions options;
    for (const char* n : {"50", "100:drop", "500"})
      options.minimums.push_back(parse_minimum("ET", n));
    const auto scores = score_case(pair.prediction, pair.truth, pair.extent, pair.spacing_mm,
                                   data::tumour_regions(), options, false);
    ASSERT_EQ(scores.size(), 6u);
    for (const auto& [place, n] : {std::pair{3, "50"}, std::pair{4, "100"}, std::pair{5, "500"}}) {
      const Json& theirs = pair.expected["et_min"][n];
      EXPECT_NEAR(scores[static_cast<std::size_t>(place)].dice, number(theirs["ET"]), 1e-12)
          << pair.expected["pair"] << " " << n;
      // Enhancing tumour is part of both, whatever it is called.
      EXPECT_NEAR(scores[1].dice, number(theirs["TC"]), 1e-12);
      EXPECT_NEAR(scores[2].dice, number(theirs["WT"]), 1e-12);
      acted += theirs["acts"].get<bool>();
    }
  }
  EXPECT_GT(acted, 20);
}

TEST(PredictedTissues, ARegionThatIsNotPredictedHasNoScore) {
  ScoreOptions options;
  options.scores = ScoreSet({"voxel"});
  options.predicted_tissues = 1u << 2;  // oedema alone
  const std::vector<std::uint8_t> labels = {0, 1, 2, 3};
  const auto scores =
      score_case(labels, labels, {1, 2, 2}, {1, 1, 1}, data::tumour_regions(), options);
  EXPECT_TRUE(std::isnan(scores[0].dice));
  EXPECT_TRUE(std::isnan(scores[1].values[0]));
  EXPECT_EQ(scores[1].true_voxels, 2);
  EXPECT_EQ(scores[2].dice, 1);
}

}  // namespace
}  // namespace lacuna::evaluation

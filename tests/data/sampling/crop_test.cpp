#include "data/sampling/crop.h"

#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lacuna::data {
namespace {

// A volume of 40 x 60 x 50 with a brain box of 20 x 30 x 30 at (10, 20, 5). Region 0: two voxels;
// region 1: one voxel in a corner of the box; region 2: empty.
class CropTest : public ::testing::Test {
 protected:
  static std::uint32_t flat(std::uint32_t d, std::uint32_t h, std::uint32_t w) {
    return (d * 30 + h) * 30 + w;
  }
  Crop draw(const CropRecipe& recipe, std::uint64_t index, const Extent& patch = {16, 16, 16}) {
    Stream stream(1, Purpose::kCrop, index);
    return draw_crop(recipe, patch, source_, stream);
  }

  const std::vector<std::uint32_t> two_ = {flat(10, 10, 10), flat(10, 10, 12)};
  const std::vector<std::uint32_t> corner_ = {flat(19, 29, 0)};
  const CropSource source_{{40, 60, 50}, {10, 20, 5}, {20, 30, 30}, [this](int region) {
                             if (region == 0) return std::span<const std::uint32_t>(two_);
                             if (region == 1) return std::span<const std::uint32_t>(corner_);
                             return std::span<const std::uint32_t>();
                           }};
};

TEST_F(CropTest, RandomCornersCoverTheVolumeUniformlyUpToTheMargin) {
  CropRecipe recipe;
  recipe.margin = {0, 10, 5};
  std::map<std::int64_t, int> d_counts;
  std::int64_t lowest = 99, highest = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const Crop crop = draw(recipe, i);
    ++d_counts[crop.corner[0]];
    EXPECT_GE(crop.corner[1], 10);
    EXPECT_LE(crop.corner[1], 60 - 10 - 16);
    lowest = std::min(lowest, crop.corner[2]);
    highest = std::max(highest, crop.corner[2]);
  }
  EXPECT_EQ(d_counts.size(), 25u);                                           // 0..24
  for (const auto& [corner, times] : d_counts) EXPECT_NEAR(times, 200, 70);  // 5 deviations
  EXPECT_EQ(lowest, 5);
  EXPECT_EQ(highest, 50 - 5 - 16);
}

TEST_F(CropTest, TheLastCornerCanBeLeftOut) {
  CropRecipe recipe;
  recipe.exclude_last = true;
  std::int64_t highest = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Crop crop = draw(recipe, i, {38, 58, 50});
    EXPECT_EQ(crop.corner[2], 0);  // a crop as large as the volume has one corner only
    highest = std::max({highest, crop.corner[0], crop.corner[1]});
  }
  EXPECT_EQ(highest, 1);  // of 0, 1, 2
}

TEST_F(CropTest, CentredCropsPutAForegroundVoxelInTheMiddle) {
  CropRecipe recipe;
  recipe.centred_probability = 1;
  recipe.centre_regions = {0};
  int first = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Crop crop = draw(recipe, i);
    EXPECT_EQ(crop.corner[0], 10 + 10 - 8);
    EXPECT_EQ(crop.corner[1], 20 + 10 - 8);
    first += crop.corner[2] == 5 + 10 - 8;
    EXPECT_TRUE(crop.corner[2] == 5 + 10 - 8 || crop.corner[2] == 5 + 12 - 8);
  }
  EXPECT_NEAR(first, 500, 80);
  // Of an odd patch the middle voxel itself.
  EXPECT_EQ(draw(recipe, 0, {17, 9, 15}).corner[0], 20 - 8);
  EXPECT_EQ(draw(recipe, 0, {17, 9, 15}).corner[1], 30 - 4);
}

TEST_F(CropTest, CentredCropsAreShiftedIntoTheVolume) {
  CropRecipe recipe;
  recipe.centred_probability = 1;
  recipe.centre_regions = {1};  // voxel (29, 49, 5) of the volume
  EXPECT_EQ(draw(recipe, 0).corner, (Extent{21, 41, 0}));
  EXPECT_EQ(draw(recipe, 0, {30, 30, 30}).corner, (Extent{10, 30, 0}));
}

// MCKD: one of {ET, WT, TC, none} with probability 1/2, so class-centred with 3/8.
TEST_F(CropTest, ClassCentredCropsHaveTheProbabilityOfTheRecipe) {
  CropRecipe recipe;
  recipe.centred_probability = 0.375;
  recipe.centre_regions = {1};
  int centred = 0;
  constexpr int kDraws = 20000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    centred += draw(recipe, i).corner == Extent{21, 41, 0};
  }
  // A random corner hits this one with probability 1 / (25 * 45 * 35).
  EXPECT_NEAR(centred / double{kDraws}, 0.375, 5 * 0.0034);
}

TEST_F(CropTest, AnEmptyClassFallsThroughToARandomCrop) {
  CropRecipe recipe;
  recipe.centred_probability = 1;
  recipe.centre_regions = {2};
  EXPECT_NE(draw(recipe, 0).corner, draw(recipe, 1).corner);
}

TEST_F(CropTest, ScaledCropsKeepToTheRangeAndTheVolume) {
  CropRecipe recipe;
  recipe.scale_probability = 0.5;
  recipe.scale = {0.9, 1.1};
  recipe.centred_probability = 0.5;
  recipe.centre_regions = {0, 1};
  int scaled = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Crop crop = draw(recipe, i, {20, 55, 20});
    scaled += crop.extent != Extent{20, 55, 20};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      EXPECT_GE(crop.corner[axis], 0);
      EXPECT_LE(crop.corner[axis] + crop.extent[axis], source_.full_extent[axis]);
      EXPECT_GE(crop.extent[axis], axis == 1 ? 49 : 18);
      EXPECT_LE(crop.extent[axis], axis == 1 ? 60 : 22);
    }
  }
  EXPECT_NEAR(scaled, 1000, 120);
}

// The box is [10, 30) x [20, 50) x [5, 35).
TEST_F(CropTest, CropsInsideTheBoxCoverItUniformlyAndNeverLeaveIt) {
  CropRecipe recipe;
  recipe.inside_box = true;
  std::map<std::int64_t, int> d_counts;
  std::int64_t lowest = 99, highest = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const Crop crop = draw(recipe, i, {13, 30, 21});  // odd ones, and one as large as the box
    ++d_counts[crop.corner[0]];
    EXPECT_EQ(crop.corner[1], 20);
    lowest = std::min(lowest, crop.corner[2]);
    highest = std::max(highest, crop.corner[2]);
  }
  EXPECT_EQ(d_counts.begin()->first, 10);
  EXPECT_EQ(d_counts.rbegin()->first, 30 - 13);
  for (const auto& [corner, times] : d_counts) EXPECT_NEAR(times, 500, 110);  // 5 deviations
  EXPECT_EQ(lowest, 5);
  EXPECT_EQ(highest, 35 - 21);
  recipe.exclude_last = true;
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_LT(draw(recipe, i, {13, 30, 21}).corner[0], 17);
  recipe.centred_probability = 1;
  recipe.centre_regions = {1};  // voxel (29, 49, 5): in a corner of the box
  EXPECT_EQ(draw(recipe, 0, {13, 15, 17}).corner, (Extent{30 - 13, 50 - 15, 5}));
}

// A box that is smaller than the patch grows to both sides and stays in the volume.
TEST_F(CropTest, ASmallBoxGrowsIntoTheVolume) {
  CropRecipe recipe;
  recipe.inside_box = true;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const Crop crop = draw(recipe, i, {25, 40, 40});
    EXPECT_EQ(crop.extent, (Extent{25, 40, 40}));
    EXPECT_EQ(crop.corner[0], 8);                               // [8, 33): 2 before, 3 behind
    EXPECT_TRUE(crop.corner[1] == 15 || crop.corner[1] == 16);  // [15, 56): 41 voxels
    EXPECT_TRUE(crop.corner[2] == 0 || crop.corner[2] == 1);    // [0, 41)
  }
}

// mmFormer card, check 9.
TEST(GrownBox, EqualsThePublishedPreprocessing) {
  EXPECT_EQ(grown_box({30, 170}, 128, 240), (Interval{30, 170}));
  EXPECT_EQ(grown_box({50, 150}, 128, 240), (Interval{36, 165}));
  EXPECT_EQ(grown_box({10, 130}, 128, 240), (Interval{6, 135}));
  EXPECT_EQ(grown_box({5, 100}, 128, 155), (Interval{0, 128}));
  EXPECT_EQ(grown_box({5, 101}, 128, 155), (Interval{0, 129}));
  // At the upper border the published box stays too short; here it is shifted down.
  EXPECT_EQ(grown_box({60, 155}, 128, 155), (Interval{27, 155}));
  EXPECT_EQ(grown_box({0, 100}, 128, 120), (Interval{0, 120}));
  EXPECT_EQ(grown_box({3, 8}, 0, 20), (Interval{3, 8}));
}

// As evaluation pads: at the end of the axis.
TEST_F(CropTest, AVolumeSmallerThanThePatchIsReadFromItsFirstVoxelOn) {
  CropRecipe recipe;
  recipe.scale_probability = 0.5;
  recipe.scale = {0.7, 1.3};
  recipe.margin = {5, 5, 5};
  for (const bool inside : {false, true}) {
    recipe.inside_box = inside;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const Crop crop = draw(recipe, i, {64, 20, 50});
      EXPECT_EQ(crop.corner[0], 0);
      EXPECT_GE(crop.extent[0], 44);
      EXPECT_LE(crop.extent[0], 64);
      EXPECT_LE(crop.corner[1] + crop.extent[1], 60);
      EXPECT_LE(crop.extent[2], 50);
    }
  }
  EXPECT_TRUE(exceeds({64, 20, 50}, source_.full_extent));
  EXPECT_FALSE(exceeds({40, 60, 50}, source_.full_extent));
}

TEST_F(CropTest, AStretchedAxisIsReadFromASmallerCrop) {
  Stream stream(1, Purpose::kCrop, 4);
  const Crop crop = draw_crop({}, {20, 30, 31}, source_, stream, {1.25, 0.9, 1});
  EXPECT_EQ(crop.extent, (Extent{16, 33, 31}));
}

}  // namespace
}  // namespace lacuna::data

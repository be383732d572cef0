#include "data/augment/augmentation.h"

#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "data/augment/augment_blur.h"
#include "data/augment/augment_intensity.h"
#include "data/augment/augment_low_resolution.h"

namespace lacuna::data {
namespace {

struct Shares {
  double elastic = 0, rotation = 0, zoom = 0, spatial = 0, noise = 0, blur = 0, gain = 0,
         offset = 0, contrast = 0, low_resolution = 0, gamma = 0, mirror = 0;
};

// ShaSpec's augmentation. Per-channel transforms: probability that channel 0 changes.
TEST(Augmentation, HeavyRecipeHasThePublishedProbabilities) {
  constexpr int kDraws = 20000;
  Shares shares;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const AugmentationDraw drawn = draw_augmentation(heavy_augmentation(), 4, 1, i);
    const ChannelChange& channel = drawn.channels[0];
    shares.elastic += drawn.spatial.elastic_alpha != 0;
    shares.rotation += drawn.spatial.radians[1] != 0;
    shares.zoom += drawn.spatial.zoom != 1;
    shares.spatial += drawn.spatial.changes();
    shares.noise += drawn.noise_deviation != 0;
    shares.blur += channel.blur_sigma != 0;
    shares.gain += channel.gain != 1;
    shares.offset += channel.offset != 0;
    shares.contrast += channel.contrast != 1;
    shares.low_resolution += channel.low_resolution_zoom != 1;
    shares.gamma += channel.gamma != 1;
    shares.mirror += drawn.mirror[1];
  }
  const auto expect = [&](double times, double probability) {
    EXPECT_NEAR(times / kDraws, probability,
                5 * std::sqrt(probability * (1 - probability) / kDraws));
  };
  expect(shares.elastic, 0.2);
  expect(shares.rotation, 0.2);
  expect(shares.zoom, 0.2);
  expect(shares.spatial, 0.488);
  expect(shares.noise, 0.1);
  expect(shares.blur, 0.1);
  expect(shares.gain, 0.15);
  expect(shares.offset, 0.075);
  expect(shares.contrast, 0.15);
  expect(shares.low_resolution, 0.125);
  expect(shares.gamma, 0.15);
  expect(shares.mirror, 0.5);
}

TEST(Augmentation, ParametersStayInTheirRanges) {
  int shrunk = 0, grown = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const AugmentationDraw drawn = draw_augmentation(heavy_augmentation(), 2, 1, i);
    for (const double angle : drawn.spatial.radians) EXPECT_LE(std::abs(angle), 0.2618);
    EXPECT_LE(drawn.spatial.elastic_alpha, 900);
    EXPECT_GE(drawn.spatial.zoom, 0.85);
    EXPECT_LE(drawn.spatial.zoom, 1.25);
    shrunk += drawn.spatial.zoom > 1;
    grown += drawn.spatial.zoom < 1;
    EXPECT_LE(drawn.noise_deviation, 0.1);
    for (const ChannelChange& channel : drawn.channels) {
      EXPECT_TRUE(channel.blur_sigma == 0 ||
                  (channel.blur_sigma >= 0.5 && channel.blur_sigma <= 1));
      EXPECT_TRUE(channel.gain >= 0.75f && channel.gain <= 1.25f);
      EXPECT_TRUE(channel.contrast >= 0.75f && channel.contrast <= 1.25f);
      EXPECT_TRUE(channel.low_resolution_zoom >= 0.5 && channel.low_resolution_zoom <= 1);
      EXPECT_TRUE(channel.gamma >= 0.7f && channel.gamma <= 1.5f);
    }
  }
  EXPECT_NEAR(shrunk, 300, 85);
  EXPECT_NEAR(grown, 300, 85);
}

TEST(Augmentation, SwitchingOneTransformOffLeavesTheOthers) {
  AugmentationRecipe without = heavy_augmentation();
  without.blur_probability = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    AugmentationDraw all = draw_augmentation(heavy_augmentation(), 4, 1, i);
    const AugmentationDraw rest = draw_augmentation(without, 4, 1, i);
    EXPECT_EQ(all.mirror, rest.mirror);
    EXPECT_EQ(all.spatial.zoom, rest.spatial.zoom);
    EXPECT_EQ(all.channels[3].gamma, rest.channels[3].gamma);
    EXPECT_EQ(rest.channels[0].blur_sigma, 0);
  }
}

// Each channel has noise of its own, and each transform its own stream.
TEST(Augmentation, ChannelsAndTransformsAreIndependent) {
  AugmentationDraw drawn;
  drawn.noise_deviation = 0.1f;
  drawn.channels.resize(2);
  std::vector<float> image(2 * 500), scratch;
  apply_intensity(drawn, 0b11, {5, 10, 10}, 9, 4, image.data(), scratch);
  double both = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    both += double{image[i]} * image[500 + i];
    first += double{image[i]} * image[i];
    second += double{image[500 + i]} * image[500 + i];
  }
  EXPECT_LT(std::abs(both / std::sqrt(first * second)), 0.2);  // 4.5 deviations
  constexpr int kDraws = 20000;
  int together = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const ChannelChange channel = draw_augmentation(heavy_augmentation(), 4, 1, i).channels[0];
    together += channel.gain != 1 && channel.offset != 0;
  }
  const double share = 0.15 * 0.075;
  EXPECT_NEAR(together / double{kDraws}, share, 5 * std::sqrt(share / kDraws));
}

// mmFormer: one of three planes, a whole angle from -10 to 9 degrees, always.
TEST(Augmentation, PlaneTurnsAreWholeAnglesInOnePlaneOfThree) {
  AugmentationRecipe recipe;
  recipe.plane_turn_degrees = {-10, 9};
  std::map<std::size_t, int> planes;
  std::map<int, int> angles;
  constexpr int kDraws = 6000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const SpatialChange change = draw_augmentation(recipe, 4, 1, i).spatial;
    const double degrees = change.turn_radians * 180 / std::numbers::pi;
    EXPECT_NEAR(degrees, std::round(degrees), 1e-9);
    ++angles[static_cast<int>(std::round(degrees))];
    ++planes[change.turn_axis];
    EXPECT_FALSE(change.interpolates());
  }
  EXPECT_EQ(angles.begin()->first, -10);
  EXPECT_EQ(angles.rbegin()->first, 9);
  EXPECT_EQ(angles.size(), 20u);
  for (const auto& [angle, times] : angles) EXPECT_NEAR(times, 300, 85);
  for (const auto& [plane, times] : planes) EXPECT_NEAR(times, 2000, 185);
  EXPECT_EQ(planes.size(), 3u);
}

// Mirroring after the turn is turning the other way after mirroring, if one axis of the plane
// flips.
TEST(Augmentation, ATurnBehindAMirrorGoesTheOtherWay) {
  AugmentationRecipe plain, mirrored;
  plain.plane_turn_degrees = mirrored.plane_turn_degrees = {-10, 9};
  mirrored.mirror_probability = {0.5, 0.5, 0.5};
  int opposite = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const AugmentationDraw first = draw_augmentation(plain, 1, 1, i);
    const AugmentationDraw second = draw_augmentation(mirrored, 1, 1, i);
    int flips = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      flips += axis != first.spatial.turn_axis && second.mirror[axis];
    }
    const double sign = flips == 1 ? -1 : 1;
    opposite += flips == 1;
    EXPECT_EQ(second.spatial.turn_radians, sign * first.spatial.turn_radians);
  }
  EXPECT_NEAR(opposite, 100, 35);
}

// Every index of the axis and every channel has its own pair; absent channels use theirs up.
TEST(Augmentation, SlicesHaveGainsAndOffsetsOfTheirOwn) {
  const Extent patch = {3, 4, 5};
  constexpr std::size_t kVoxels = 3 * 4 * 5;
  AugmentationRecipe recipe;
  recipe.slice_gain = {0.9, 1.1};
  recipe.slice_offset = {-0.1, 0.1};
  std::vector<float> scratch;
  for (int axis = 0; axis < 3; ++axis) {
    recipe.slice_axis = axis;
    const AugmentationDraw drawn = draw_augmentation(recipe, 3, 1, 5);
    const auto applied = [&](float value, SubsetMask present) {
      std::vector<float> image(3 * kVoxels, value);
      apply_intensity(drawn, present, patch, 1, 5, image.data(), scratch);
      return image;
    };
    const auto zeros = applied(0, 0b111), ones = applied(1, 0b111), alone = applied(1, 0b100);
    std::set<float> gains, offsets;
    for (std::size_t i = 0; i < ones.size(); ++i) {
      const auto v = static_cast<std::int64_t>(i % kVoxels);
      const std::array<std::int64_t, 3> at = {v / 20, v / 5 % 4, v % 5};
      std::array<std::int64_t, 3> first{};  // the first voxel of the slice
      first[static_cast<std::size_t>(axis)] = at[static_cast<std::size_t>(axis)];
      const std::size_t same = i / kVoxels * kVoxels +
                               static_cast<std::size_t>((first[0] * 4 + first[1]) * 5 + first[2]);
      EXPECT_EQ(zeros[i], zeros[same]);
      EXPECT_EQ(ones[i], ones[same]);
      EXPECT_EQ(alone[i], i < 2 * kVoxels ? 1 : ones[i]);
      EXPECT_LE(std::abs(zeros[i]), 0.1f);
      EXPECT_LE(std::abs(ones[i] - zeros[i] - 1), 0.1001f);
      offsets.insert(zeros[i]);
      gains.insert(ones[i] - zeros[i]);
    }
    EXPECT_EQ(offsets.size(), 3 * static_cast<std::size_t>(patch[static_cast<std::size_t>(axis)]));
    EXPECT_GE(gains.size(), offsets.size());
  }
}

TEST(Augmentation, TheCommonOffsetIsOneForAllChannels) {
  AugmentationRecipe recipe;
  recipe.common_offset = {-0.1, 0.1};
  std::vector<float> scratch;
  double lowest = 1, highest = -1;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::vector<float> image(3 * 8, 2.0f);
    apply_intensity(draw_augmentation(recipe, 3, 1, i), 0b101, {2, 2, 2}, 1, i, image.data(),
                    scratch);
    EXPECT_EQ(image[0], image[23]);
    EXPECT_EQ(image[8], 2);
    lowest = std::min(lowest, double{image[0]} - 2);
    highest = std::max(highest, double{image[0]} - 2);
  }
  EXPECT_NEAR(lowest, -0.1, 0.005);
  EXPECT_NEAR(highest, 0.1, 0.005);
}

TEST(Augmentation, AxesAreStretchedEachByItsOwnFactor) {
  AugmentationRecipe recipe;
  recipe.zoom_each_axis = {0.9, 1.1};
  std::set<double> factors;
  for (std::uint64_t i = 0; i < 300; ++i) {
    for (const double factor : draw_augmentation(recipe, 1, 1, i).stretch) {
      EXPECT_GE(factor, 0.9);
      EXPECT_LE(factor, 1.1);
      factors.insert(factor);
    }
  }
  EXPECT_EQ(factors.size(), 900u);
  EXPECT_NEAR(*factors.begin(), 0.9, 0.003);
  EXPECT_NEAR(*factors.rbegin(), 1.1, 0.003);
}

TEST(Augmentation, RecipesOfOtherAxesTurnToTheVolumes) {
  DataRecipe recipe;
  recipe.axes = {1, 2, 0};
  recipe.augmentation.slice_axis = 0;  // of the network: H of the volume
  EXPECT_EQ(in_volume_order(recipe).augmentation.slice_axis, 1);
  recipe.augmentation.slice_axis = 2;
  EXPECT_EQ(in_volume_order(recipe).augmentation.slice_axis, 0);
}

TEST(Augmentation, AppliesTheTransformsInThePublishedOrderAndSkipsAbsentChannels) {
  const Extent patch = {6, 7, 8};
  constexpr std::size_t kVoxels = 6 * 7 * 8;
  std::vector<float> image(2 * kVoxels);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i * i % 31) - 10;
  AugmentationDraw drawn;
  drawn.noise_deviation = 0.1f;
  drawn.channels.assign(2, {0.7, 1.2f, 0.3f, 1.1f, 0.6, 0.8f});

  std::vector<float> expected(image.begin(), image.begin() + kVoxels), scratch;
  add_normal_field({9, Purpose::kAugment, 4, 32}, 0.1f, expected.data(), kVoxels);
  gaussian_blur(expected.data(), patch, 0.7, scratch);
  scale_and_shift(expected.data(), kVoxels, 1.2f, 0.3f);
  change_contrast(expected.data(), kVoxels, 1.1f);
  reduce_resolution(expected.data(), patch, 0.6, scratch);
  change_gamma(expected.data(), kVoxels, 0.8f);
  expected.insert(expected.end(), image.begin() + kVoxels, image.end());

  apply_intensity(drawn, 0b01, patch, 9, 4, image.data(), scratch);
  EXPECT_EQ(image, expected);
}

}  // namespace
}  // namespace lacuna::data

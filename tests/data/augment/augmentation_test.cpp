#include "data/augment/augmentation.h"

#include <cmath>
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

// ShaSpec card, section 5. Per-channel transforms: probability that channel 0 changes.
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

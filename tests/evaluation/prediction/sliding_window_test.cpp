#include "evaluation/prediction/sliding_window.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/evaluation/fake_method.h"

namespace lacuna::evaluation {
namespace {

using methods::InferenceRecipe;
using Starts = std::vector<std::int64_t>;

// ShaSpec: 155 x 240 x 240 with windows of 80 x 160 x 160 and an overlap of 1/3.
TEST(WindowStarts, TileAsThePublishedCodeDoes) {
  EXPECT_EQ(window_starts(155, 80, 1.0 / 3), (Starts{0, 54, 75}));
  EXPECT_EQ(window_starts(240, 160, 1.0 / 3), (Starts{0, 80}));
  // ShaSpec: 12 tiles, which all meet at depths 75 to 79, rows and columns 80 to
  // 159.
  const auto tiles_at = [](std::int64_t voxel, std::int64_t extent, std::int64_t patch) {
    const auto starts = window_starts(extent, patch, 1.0 / 3);
    return std::count_if(starts.begin(), starts.end(), [&](std::int64_t start) {
      return start <= voxel && voxel < start + patch;
    });
  };
  for (std::int64_t d = 0; d < 155; ++d) {
    EXPECT_EQ(tiles_at(d, 155, 80) == 3, d >= 75 && d < 80) << d;
    EXPECT_GE(tiles_at(d, 155, 80), 1);
  }
  for (std::int64_t h = 0; h < 240; ++h) {
    EXPECT_EQ(tiles_at(h, 240, 160), h >= 80 && h < 160 ? 2 : 1) << h;
  }
}

// RFNet, and mmFormer: half-overlapping windows of 80 and 128.
TEST(WindowStarts, AreThoseOfTheCardsWithHalfOverlap) {
  const std::vector<std::pair<std::int64_t, Starts>> of_80 = {
      {80, {0}},          {128, {0, 40, 48}}, {140, {0, 40, 60}},
      {155, {0, 40, 75}}, {160, {0, 40, 80}}, {192, {0, 40, 80, 112}}};
  for (const auto& [extent, starts] : of_80) EXPECT_EQ(window_starts(extent, 80, 0.5), starts);
  const std::vector<std::pair<std::int64_t, Starts>> of_128 = {{128, {0}},     {140, {0, 12}},
                                                               {155, {0, 27}}, {160, {0, 32}},
                                                               {192, {0, 64}}, {240, {0, 64, 112}}};
  for (const auto& [extent, starts] : of_128) EXPECT_EQ(window_starts(extent, 128, 0.5), starts);
}

TEST(WindowStarts, CoverEveryVoxelAndEndAtTheBorder) {
  EXPECT_EQ(window_starts(12, 4, 0.5), (Starts{0, 2, 4, 6, 8}));
  EXPECT_EQ(window_starts(13, 4, 0), (Starts{0, 4, 8, 9}));
  EXPECT_EQ(window_starts(4, 4, 0.5), (Starts{0}));
  EXPECT_EQ(window_starts(3, 4, 0.5), (Starts{0}));
  EXPECT_EQ(window_starts(160, 96, 1.0 / 3), (Starts{0, 64}));  // (1 - 1/3) * 96 is 64, not 65
  for (std::int64_t extent = 8; extent < 60; ++extent) {
    const auto starts = window_starts(extent, 8, 0.3);
    EXPECT_EQ(starts.front(), 0);
    EXPECT_EQ(starts.back(), extent - 8);
    for (std::size_t i = 1; i < starts.size(); ++i) {
      EXPECT_GT(starts[i], starts[i - 1]);
      EXPECT_LE(starts[i], starts[i - 1] + 8);
    }
  }
}

TEST(WindowWeights, AreAGaussianOfOneEighthOfThePatch) {
  const auto uniform = window_weights(InferenceRecipe::Window::kUniform, {2, 3, 4});
  EXPECT_TRUE(uniform.equal(torch::ones({2, 3, 4})));
  const auto weights = window_weights(InferenceRecipe::Window::kGaussian, {9, 16, 8});
  EXPECT_FLOAT_EQ(weights[4][7][3].item<float>(), 1);
  EXPECT_FLOAT_EQ(weights[4][8][4].item<float>(), 1);  // an even extent has two middle voxels
  // One sigma of D is 9/8 voxels; W: (0.5^2 - 3.5^2) / (2 * 1^2).
  EXPECT_NEAR(weights[5][7][3].item<double>(), std::exp(-0.5 * 64 / 81), 1e-6);
  EXPECT_NEAR(weights[4][7][0].item<double>(), std::exp(-6.0), 1e-6);
}

TEST(ComposeLabels, LetsLaterChannelsWriteOverEarlierOnes) {
  InferenceRecipe recipe = small_recipe();
  // Channels: WT, ET, TC of five voxels.
  const auto values =
      torch::tensor({0.9, 0.1, 0.6, 0.5, 0.9, 0.1, 0.9, 0.6, 0.5, 0.2, 0.1, 0.1, 0.9, 0.5, 0.9})
          .view({1, 3, 1, 1, 5})
          .to(torch::kFloat32);
  const auto labels = compose_labels(recipe, values);
  EXPECT_EQ(labels.dtype(), torch::kUInt8);
  EXPECT_TRUE(labels.flatten().equal(torch::tensor({2, 3, 3, 0, 1}, torch::kUInt8)));
  recipe.blend_probabilities = false;  // raw outputs: positive means more than one half
  const auto raw = compose_labels(recipe, values - 0.5);
  EXPECT_TRUE(raw.equal(labels));
}

TEST(Relabel, ATissueBelowItsMinimumBecomesAnother) {
  InferenceRecipe recipe;
  std::vector<std::uint8_t> labels{0, 3, 2, 3, 1};
  relabel(recipe, labels);
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{0, 3, 2, 3, 1}));
  recipe.relabelled = {{data::Tissue::kEnhancing, 2, data::Tissue::kNecrosis}};
  relabel(recipe, labels);  // two voxels are enough
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{0, 3, 2, 3, 1}));
  recipe.relabelled = {{data::Tissue::kEnhancing, 3, data::Tissue::kNecrosis}};
  relabel(recipe, labels);
  EXPECT_EQ(labels, (std::vector<std::uint8_t>{0, 1, 2, 1, 1}));
}

TEST(ComposeLabels, TakesTheLargestSoftmaxChannel) {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSoftmax;
  recipe.channels = {
      {0, data::Tissue::kBackground}, {1, data::Tissue::kEnhancing}, {2, data::Tissue::kOedema}};
  const auto values =
      torch::tensor({0.5, 0.2, 0.1, 0.3, 0.7, 0.1, 0.2, 0.1, 0.8}).view({1, 3, 1, 1, 3});
  EXPECT_TRUE(
      compose_labels(recipe, values).flatten().equal(torch::tensor({0, 3, 2}, torch::kUInt8)));
}

// Three windows of extent 4 over a depth of 8, weights 1 to 4 along D, checked by hand.
TEST(WindowBlender, AveragesOverlappingWindowsByWeight) {
  const auto weights = torch::arange(1, 5).to(torch::kFloat32).view({4, 1, 1});
  WindowBlender blender(2, {4, 1, 1}, {1, 1}, weights);
  const auto constant = [](double value) { return torch::full({1, 1, 4, 1, 1}, value); };
  std::vector<at::Tensor> pieces;
  const int starts[] = {0, 2, 4};
  for (int i = 0; i < 3; ++i) {
    blender.add(0, 0, 0, constant(10 * (i + 1)));
    blender.add(1, 0, 0, constant(i));
    blender.count_window(0, 0);
    blender.take(i == 2 ? 4 : starts[i + 1] - starts[i],
                 [&](const at::Tensor& means, std::int64_t) { pieces.push_back(means.clone()); });
  }
  const auto means = torch::cat(pieces, 2).view({2, 8});
  // Depth 2: weights 3 of window 0 and 1 of window 1; depth 3: 4 and 2; then again.
  const auto first = torch::tensor({10., 10., (3 * 10 + 20) / 4., (4 * 10 + 2 * 20) / 6.,
                                    (3 * 20 + 30) / 4., (4 * 20 + 2 * 30) / 6., 30., 30.});
  EXPECT_TRUE(means[0].allclose(first, 1e-6));
  EXPECT_TRUE(means[1].allclose((first - 10) / 10, 1e-6, 1e-6));
}

}  // namespace
}  // namespace lacuna::evaluation

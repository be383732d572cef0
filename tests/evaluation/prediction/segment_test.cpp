#include "evaluation/prediction/segment.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/evaluation/fake_method.h"

namespace lacuna::evaluation {
namespace {

using data::Extent;
using data::SubsetMask;

// Three channels, each a linear function of the voxel's own modalities: whatever the windows, the
// result is the same function of the whole volume.
at::Tensor voxelwise(const at::Tensor& image, SubsetMask) {
  const auto a = image.select(1, 0), b = image.select(1, 1);
  return torch::stack({a + b, a - b, 2 * b - 1}, 1);
}

at::Tensor random_image(const Extent& extent) {
  torch::manual_seed(4);
  return torch::randn({1, 2, extent[0], extent[1], extent[2]});
}

std::vector<std::uint8_t> expected_labels(FakeMethod& method, const at::Tensor& image,
                                          SubsetMask subset) {
  const auto output = method.forward(image, subset)[0];
  auto labels = torch::zeros(output[0].sizes(), torch::kUInt8);
  labels.masked_fill_(output[0] > 0, 2).masked_fill_(output[2] > 0, 1);
  labels.masked_fill_(output[1] > 0, 3);
  const auto* data = labels.const_data_ptr<std::uint8_t>();
  return {data, data + labels.numel()};
}

// The network marks voxels by their position along its own last axis, which is the volume's first.
TEST(SegmentSubsets, ANetworkSeesTheAxesInItsOwnOrder) {
  auto recipe = small_recipe();
  recipe.patch = {8, 6, 10};  // H, W, D
  std::vector<std::int64_t> seen;
  FakeMethod method(
      [&](const at::Tensor& image, SubsetMask) {
        seen = image.sizes().vec();
        const auto depth = torch::arange(10).expand({1, 8, 6, 10}) - 2.5;
        return torch::stack({image.select(1, 0), depth * 0 - 1, depth}, 1);
      },
      recipe);
  method.data.axes = {1, 2, 0};
  at::Tensor image = torch::full({1, 2, 10, 8, 6}, -1.0);
  image[0][0][1][2][3] = 1;  // one voxel of oedema in a slice that is not necrosis
  const auto labels = at::tensor(segment_subsets(method, image, {0b01}).front(), at::kByte);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 8, 6, 10}));
  at::Tensor expected = torch::zeros({10, 8, 6}, at::kByte);
  expected.narrow(0, 3, 7).fill_(1);
  expected[1][2][3] = 2;
  EXPECT_TRUE(torch::equal(labels.view({10, 8, 6}), expected));
}

// A network that says the same of a window and of its mirror image gains nothing, one that looks
// to its left becomes fair: the mean over 8 flips has each half once.
TEST(SegmentSubsets, MirroredIsTheMeanOverEightFlips) {
  const auto sided = [](const at::Tensor& image, SubsetMask) {
    const auto along = torch::arange(image.size(4)).expand({1, image.size(2), image.size(3), -1});
    const auto logit = (along.to(torch::kFloat32) - 0.5) * 4;  // low at one end, high at the other
    return torch::stack({logit, logit * 0 - 9, logit * 0 - 9}, 1);
  };
  FakeMethod method(sided, small_recipe());
  const at::Tensor image = random_image({4, 6, 4});
  SegmentOptions options;
  options.mirrored = true;
  at::Tensor p;
  options.probabilities = [&](std::size_t, const at::Tensor& all) { p = all.clone(); };
  segment_subsets(method, image, {0b11}, options);
  EXPECT_EQ(method.encoded, 8);
  const at::Tensor line = torch::sigmoid((torch::arange(4).to(torch::kFloat32) - 0.5) * 4);
  const at::Tensor expected = (line + line.flip(0)) / 2;
  EXPECT_TRUE(torch::allclose(p[0][1][2], expected, 1e-6, 1e-7));
}

// Windows that overlap, a volume that is no multiple of the patch, axes in another order.
TEST(SegmentSubsets, ProbabilitiesAreThoseThatAreThresholded) {
  for (const bool blended : {true, false}) {
    auto recipe = small_recipe();
    recipe.blend_probabilities = blended;
    FakeMethod method(voxelwise, recipe);
    const at::Tensor image = random_image({9, 7, 11});
    SegmentOptions options;
    std::vector<at::Tensor> p;
    options.probabilities = [&](std::size_t subset, const at::Tensor& all) {
      EXPECT_EQ(subset, p.size());
      p.push_back(all.clone());
    };
    const auto labels = segment_subsets(method, image, {0b01, 0b11}, options);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_TRUE(torch::allclose(p[1], voxelwise(image, 0b11).sigmoid()[0], 1e-5, 1e-6));
    EXPECT_EQ(labels[1], expected_labels(method, image, 0b11));
    // Whole tumour is the first channel, the core the one of necrosis, whatever is inside them.
    const auto regions = data::tumour_regions();
    EXPECT_TRUE(torch::equal(region_probability(recipe, regions[0], p[1]), p[1][1]));
    EXPECT_TRUE(torch::equal(region_probability(recipe, regions[1], p[1]), p[1][2]));
    EXPECT_TRUE(torch::equal(region_probability(recipe, regions[2], p[1]), p[1][0]));
    EXPECT_FALSE(region_probability(recipe, {"RC", 1u << 4}, p[1]).defined());
  }
}

TEST(SegmentSubsets, RankSegDecodesEachRegionOverTheWholeVolume) {
  FakeMethod method(
      [](const at::Tensor& image, SubsetMask) {
        const auto a = image.select(1, 0);
        return torch::stack({torch::logit(a), a * 0 - 9, a * 0 - 9}, 1);
      },
      small_recipe());
  at::Tensor image = torch::full({1, 2, 5, 6, 9}, 0.02);
  image[0][0][0][0][0] = 0.9;
  image[0][0][4][5][8] = 0.25;  // worth its place: 0.25 > 0.9 / (6.51 + 2)
  SegmentOptions options;
  options.rankseg = true;
  const auto labels = segment_subsets(method, image, {0b11}, options).front();
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 2), 2);
  image.fill_(1e-4);
  image[0][0][0][0][0] = 0.9;
  image[0][0][4][5][8] = 0.25;  // 0.25 < 0.9 / (1.18 + 2)
  const auto fewer = segment_subsets(method, image, {0b11}, options).front();
  EXPECT_EQ(std::count(fewer.begin(), fewer.end(), 2), 1);
  auto softmax = small_recipe();
  softmax.activation = methods::InferenceRecipe::Activation::kSoftmax;
  FakeMethod other(voxelwise, softmax);
  EXPECT_THROW(segment_subsets(other, image, {0b11}, options), ConfigError);
}

// Volume 11 x 7 x 3, patch 4 x 6 x 4: corners (11 - 4 - 1) / 2 = 3, (7 - 6 - 1) / 2 = 0 and 0.
TEST(SegmentSubsets, ACentreCropIsAllThatIsSegmented) {
  auto recipe = small_recipe();
  recipe.centre_crop = true;
  FakeMethod method(
      [](const at::Tensor& image, SubsetMask) {
        return torch::ones_like(image.narrow(1, 0, 1)).expand({1, 3, 4, 6, 4});
      },
      recipe);
  const auto box = scored_box(method, {11, 7, 3}, std::nullopt);
  ASSERT_TRUE(box.has_value());
  EXPECT_EQ(*box, (Box{{3, 0, 0}, {4, 6, 3}}));
  const auto labels =
      at::tensor(segment_subsets(method, random_image({11, 7, 3}), {0b11}).front(), at::kByte);
  at::Tensor expected = torch::zeros({11, 7, 3}, at::kByte);
  expected.narrow(0, 3, 4).narrow(1, 0, 6).fill_(3);
  EXPECT_TRUE(torch::equal(labels.view({11, 7, 3}), expected));
  EXPECT_EQ(method.encoded, 1);
}

TEST(SegmentSubsets, EqualsTheWholeVolumeForAVoxelwiseNetwork) {
  for (const Extent extent : {Extent{11, 13, 9}, Extent{4, 6, 4}, Extent{3, 20, 2}}) {
    for (const bool probabilities : {true, false}) {
      for (const auto window : {methods::InferenceRecipe::Window::kUniform,
                                methods::InferenceRecipe::Window::kGaussian}) {
        auto recipe = small_recipe();
        recipe.window = window;
        recipe.blend_probabilities = probabilities;
        FakeMethod method(voxelwise, recipe);
        const auto image = random_image(extent);
        const std::vector<SubsetMask> subsets{0b01, 0b11, 0b10};
        const auto labels = segment_subsets(method, image, subsets);
        ASSERT_EQ(labels.size(), 3u);
        for (std::size_t s = 0; s < 3; ++s) {
          EXPECT_EQ(labels[s], expected_labels(method, image, subsets[s]));
        }
      }
    }
  }
}

// Tissue is counted in the whole segmentation, whatever the windows.
TEST(SegmentSubsets, RelabelsWhatIsTooSmallInTheWholeVolume) {
  auto recipe = small_recipe();
  const auto image = random_image({9, 8, 8});
  FakeMethod plain(voxelwise, recipe);
  const auto labels = segment_subsets(plain, image, {0b11})[0];
  const auto enhancing = std::count(labels.begin(), labels.end(), 3);
  ASSERT_GT(enhancing, 0);
  auto expected = labels;
  std::replace(expected.begin(), expected.end(), std::uint8_t{3}, std::uint8_t{1});
  for (const bool enough : {true, false}) {
    recipe.relabelled = {
        {data::Tissue::kEnhancing, enough ? enhancing : enhancing + 1, data::Tissue::kNecrosis}};
    FakeMethod method(voxelwise, recipe);
    EXPECT_EQ(segment_subsets(method, image, {0b11})[0], enough ? labels : expected);
  }
}

TEST(SegmentSubsets, EncodesEachWindowOnce) {
  FakeMethod method(voxelwise, small_recipe());
  // Strides 3, 4, 3: starts D {0,3,5}, H {0,2}, W {0,3,4}.
  segment_subsets(method, random_image({9, 8, 8}), {0b01, 0b10, 0b11});
  EXPECT_EQ(method.encoded, 3 * 2 * 3);
}

TEST(SegmentSubsets, BlendsProbabilitiesOrRawOutputsAsTheRecipeSays) {
  // Three windows at depths 0, 1 and 2 say 6, -2 and -2. Where all overlap, the mean of the raw
  // outputs is 2/3, above 0, and that of the probabilities (0.998 + 2 * 0.119) / 3, below 1/2.
  for (const bool probabilities : {true, false}) {
    auto recipe = small_recipe();
    recipe.overlap = 0.75;
    recipe.blend_probabilities = probabilities;
    recipe.channels = {{0, data::Tissue::kOedema}};
    int calls = 0;
    FakeMethod method(
        [&](const at::Tensor& image, SubsetMask) {
          return torch::full({1, 1, image.size(2), image.size(3), image.size(4)},
                             calls++ == 0 ? 6.0 : -2.0);
        },
        recipe);
    const auto labels = segment_subsets(method, torch::zeros({1, 1, 6, 6, 4}), {1})[0];
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(labels[0], 2);                           // the first window alone
    EXPECT_EQ(labels[3 * 24], probabilities ? 0 : 2);  // all three
    EXPECT_EQ(labels[5 * 24], 0);                      // the last one alone
  }
}

TEST(SegmentSubsets, CoversOnlyTheBrainBoxWhenTheRecipeSaysSo) {
  auto recipe = small_recipe();
  recipe.whole_volume = false;
  recipe.channels = {{0, data::Tissue::kOedema}};
  FakeMethod method(
      [](const at::Tensor& image, SubsetMask) {
        return torch::ones({1, 1, image.size(2), image.size(3), image.size(4)});
      },
      recipe);
  auto image = torch::zeros({1, 2, 9, 10, 11});
  image[0][1].slice(0, 2, 7).slice(1, 3, 5).slice(2, 1, 9).fill_(0.5);
  const auto labels = segment_subsets(method, image, {0b11})[0];
  const auto expected = (image[0][1] != 0).to(torch::kUInt8) * 2;
  EXPECT_TRUE(torch::from_blob(const_cast<std::uint8_t*>(labels.data()), {9, 10, 11}, torch::kUInt8)
                  .equal(expected));
  // Nothing but background: no window at all.
  method.encoded = 0;
  EXPECT_THAT(segment_subsets(method, torch::zeros({1, 2, 9, 10, 11}), {1})[0], ::testing::Each(0));
  EXPECT_EQ(method.encoded, 0);
}

// Where crops lie in the brain box, windows do: a box smaller than the patch grows into the volume.
TEST(SegmentSubsets, ASmallBrainBoxGrowsAsInTraining) {
  auto recipe = small_recipe();
  recipe.whole_volume = false;
  recipe.patch = {6, 8, 4};
  recipe.channels = {{0, data::Tissue::kOedema}};
  FakeMethod method(
      [](const at::Tensor& image, SubsetMask) {
        return torch::ones({1, 1, image.size(2), image.size(3), image.size(4)});
      },
      recipe);
  method.data.crop.inside_box = true;
  auto image = torch::zeros({1, 2, 9, 10, 11});
  image[0][1].slice(0, 4, 7).slice(1, 7, 10).slice(2, 1, 9).fill_(0.5);
  const auto labels = segment_subsets(method, image, {0b11})[0];
  auto expected = torch::zeros({9, 10, 11}, torch::kUInt8);
  // 3 voxels grow by 1 and 2; 3 by 2 and 3, shifted down to the border; 8 are enough.
  expected.slice(0, 3, 9).slice(1, 2, 10).slice(2, 1, 9).fill_(2);
  EXPECT_TRUE(torch::from_blob(const_cast<std::uint8_t*>(labels.data()), {9, 10, 11}, torch::kUInt8)
                  .equal(expected));
}

TEST(SegmentSubsets, TakesTheRunsOwnPatchAndRefusesImpossibleOnes) {
  FakeMethod method(voxelwise, small_recipe());
  const auto image = random_image({8, 8, 8});
  const auto labels = segment_subsets(method, image, {0b11}, Extent{8, 8, 8});
  EXPECT_EQ(method.encoded, 1);
  EXPECT_EQ(labels[0], expected_labels(method, image, 0b11));
  EXPECT_THROW(segment_subsets(method, image, {0b11}, Extent{8, 7, 8}), ConfigError);
}

TEST(SegmentSubsets, LeavesTheModuleInTrainingMode) {
  FakeMethod method(voxelwise, small_recipe());
  method.module().train();
  segment_subsets(method, random_image({4, 6, 4}), {1});
  EXPECT_TRUE(method.module().is_training());
  EXPECT_TRUE(torch::GradMode::is_enabled());
}

}  // namespace
}  // namespace lacuna::evaluation

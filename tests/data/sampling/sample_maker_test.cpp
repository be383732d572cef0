#include "data/sampling/sample_maker.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "data/augment/augmentation.h"
#include "data/augment/resample.h"
#include "data/cache/case_layout.h"
#include "tests/data/toy_cohort.h"

namespace lacuna::data {
namespace {

struct Sample {
  Sample(const DataRecipe& recipe, const CaseFile& file, std::uint64_t index)
      : image(4 * static_cast<std::size_t>(voxels(recipe.patch)), -99.0f),
        label(static_cast<std::size_t>(voxels(recipe.patch)), 99) {
    crop = SampleMaker(recipe, 4).make(file, 1, index, image.data(), label.data());
  }
  std::vector<float> image;
  std::vector<std::uint8_t> label;
  Crop crop;
};

class SampleMakerTest : public ::testing::TestWithParam<const char*> {
 protected:
  SampleMakerTest() : cohort_(1, GetParam()), file_(cohort_.cohort(), cohort_.cohort().cases[0]) {
    recipe_.patch = {40, 21, 24};  // deeper than the brain box, and across chunks
  }

  // Statistics of the toy case: background 3, mean 0.1 + m, deviation 1.
  float normalised(int m, const Extent& at) const {
    const float raw = cohort_.intensity(0, m, at);
    if (raw == ToyCase::kBackground || !contains(file_.info().available, m)) return 0;
    return raw - static_cast<float>(0.1 + m);
  }

  ToyCohort cohort_;
  CaseFile file_;
  DataRecipe recipe_;
};

// Also voxels outside the brain box, which are background, and the absent modality: exactly 0.
TEST_P(SampleMakerTest, CropsNormalisesAndMirrors) {
  recipe_.augmentation = mirror_augmentation();
  for (std::uint64_t index = 0; index < 12; ++index) {
    const Sample sample(recipe_, file_, index);
    const auto mirror = draw_augmentation(recipe_.augmentation, 4, 1, index).mirror;
    std::size_t wrong = 0, zeros = 0;
    std::size_t i = 0;
    for (int m = 0; m < 4; ++m) {
      for (std::int64_t d = 0; d < 40; ++d) {
        for (std::int64_t h = 0; h < 21; ++h) {
          for (std::int64_t w = 0; w < 24; ++w, ++i) {
            const Extent at = {sample.crop.corner[0] + (mirror[0] ? 39 - d : d),
                               sample.crop.corner[1] + (mirror[1] ? 20 - h : h),
                               sample.crop.corner[2] + (mirror[2] ? 23 - w : w)};
            wrong += std::abs(sample.image[i] - normalised(m, at)) > 1e-3f;
            zeros += sample.image[i] == 0;
            if (m == 0) wrong += sample.label[i] != cohort_.tissue(at);
          }
        }
      }
    }
    EXPECT_EQ(wrong, 0u) << index;
    EXPECT_GT(zeros, 40u * 21 * 24);
  }
}

// The path through the resampler, with a rotation too small to move anything.
TEST_P(SampleMakerTest, ResamplingWithoutMovementEqualsReading) {
  recipe_.augmentation = mirror_augmentation();
  DataRecipe moved = recipe_;
  moved.augmentation.rotation_probability = 1;
  moved.augmentation.rotation_degrees = {1e-9, 2e-9};
  for (const bool cubic : {false, true}) {
    moved.augmentation.cubic = cubic;
    const Sample plain(recipe_, file_, 3), resampled(moved, file_, 3);
    EXPECT_EQ(plain.label, resampled.label);
    for (std::size_t i = 0; i < plain.image.size(); ++i) {
      EXPECT_NEAR(plain.image[i], resampled.image[i], cubic ? 0.05 : 0.01);  // values to 3000
    }
  }
}

TEST_P(SampleMakerTest, ScaledCropsFillThePatch) {
  recipe_.patch = {20, 21, 24};
  recipe_.crop.scale_probability = 1;
  recipe_.crop.scale = {1.1, 1.10001};
  const Sample sample(recipe_, file_, 0);
  EXPECT_EQ(sample.crop.extent, (Extent{22, 23, 26}));
  // Voxel (0, 0, 0) reads at half a voxel times the ratio, minus a half.
  double expected = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    Extent at = sample.crop.corner;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double x = 0.5 * static_cast<double>(sample.crop.extent[axis]) /
                           static_cast<double>(recipe_.patch[axis]) -
                       0.5;
      weight *= (corner >> axis & 1) != 0 ? x : 1 - x;
      at[axis] += corner >> axis & 1;
    }
    expected += weight * normalised(1, at);
  }
  EXPECT_NEAR(sample.image[20 * 21 * 24], expected, 1e-3 * std::max(1.0, std::abs(expected)));
}

TEST_P(SampleMakerTest, HeavyAugmentationIsAFunctionOfTheIndexAndLeavesAbsentModalitiesZero) {
  recipe_.patch = {16, 20, 24};
  recipe_.augmentation = heavy_augmentation();
  recipe_.crop = {0.375, {0, 1, 2}, {0, 2, 2}, 0.5, {0.9, 1.1}};
  SampleMaker busy(recipe_, 4);  // working memory of earlier samples must not matter
  for (std::uint64_t index = 0; index < 30; ++index) {
    const Sample fresh(recipe_, file_, index);
    std::vector<float> image(fresh.image.size());
    std::vector<std::uint8_t> label(fresh.label.size());
    busy.make(file_, 1, index, image.data(), label.data());
    EXPECT_EQ(image, fresh.image);
    EXPECT_EQ(label, fresh.label);
    EXPECT_TRUE(std::all_of(image.begin(), image.end(), [](float v) { return std::isfinite(v); }));
    const auto absent = image.begin() + 2 * voxels(recipe_.patch);
    EXPECT_TRUE(
        std::all_of(absent, absent + voxels(recipe_.patch), [](float v) { return v == 0; }));
    EXPECT_LE(*std::max_element(label.begin(), label.end()), 3);
  }
}

// By the tissue that interpolation finds most of, which is not the nearest voxel's everywhere.
TEST_P(SampleMakerTest, TurnedLabelsAreInterpolated) {
  recipe_.patch = {16, 20, 24};
  recipe_.augmentation.rotation_probability = 1;
  const Sample sample(recipe_, file_, 3);
  const AugmentationDraw drawn = draw_augmentation(recipe_.augmentation, 4, 1, 3);
  ASSERT_TRUE(drawn.spatial.interpolates());
  const Extent extent = sample.crop.extent;
  std::vector<std::uint8_t> label(static_cast<std::size_t>(voxels(extent)));
  file_.read_label(sample.crop.corner, extent, label.data());
  ResampleSource source;
  source.reset(extent, 0);
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      source.set_label_row(d, h, label.data() + (d * extent[1] + h) * extent[2]);
    }
  }
  const auto turned = [&](bool nearest) {
    std::vector<std::uint8_t> out(sample.label.size());
    resample(source, spatial_map(drawn.spatial, recipe_.patch, extent, nullptr),
             {.nearest_label = nearest}, recipe_.patch, nullptr, out.data());
    return out;
  };
  EXPECT_NE(turned(false), turned(true));
  EXPECT_EQ(sample.label, turned(false));
}

// scipy.ndimage.rotate, order 0, mode constant, straight from its definition.
TEST_P(SampleMakerTest, PlaneTurnsReadTheNearestVoxelAndFillWhatIsOutside) {
  recipe_.patch = {20, 21, 24};
  recipe_.augmentation = mirror_augmentation();
  recipe_.augmentation.plane_turn_degrees = {-10, 9};
  recipe_.augmentation.plane_turn_fill = -5;
  std::set<std::size_t> planes;
  for (std::uint64_t index = 0; index < 12; ++index) {
    const Sample sample(recipe_, file_, index);
    const AugmentationDraw drawn = draw_augmentation(recipe_.augmentation, 4, 1, index);
    const std::size_t axis = drawn.spatial.turn_axis;
    planes.insert(axis);
    const std::size_t a = axis == 0 ? 1 : 0, b = axis == 2 ? 1 : 2;
    const double c = std::cos(drawn.spatial.turn_radians), s = std::sin(drawn.spatial.turn_radians);
    std::size_t wrong = 0, outside = 0, near_ties = 0, i = 0;
    for (int m = 0; m < 4; ++m) {
      Extent v{};
      for (v[0] = 0; v[0] < 20; ++v[0]) {
        for (v[1] = 0; v[1] < 21; ++v[1]) {
          for (v[2] = 0; v[2] < 24; ++v[2], ++i) {
            std::array<double, 3> x = {double(v[0]), double(v[1]), double(v[2])};
            const double centre_a = double(recipe_.patch[a] - 1) / 2,
                         centre_b = double(recipe_.patch[b] - 1) / 2;
            x[a] = centre_a + c * (double(v[a]) - centre_a) + s * (double(v[b]) - centre_b);
            x[b] = centre_b - s * (double(v[a]) - centre_a) + c * (double(v[b]) - centre_b);
            bool inside = true, tie = false;
            Extent at{};
            for (std::size_t k = 0; k < 3; ++k) {
              const double last = double(recipe_.patch[k] - 1);
              inside = inside && x[k] >= 0 && x[k] <= last;
              const double fraction = x[k] + 0.5 - std::floor(x[k] + 0.5);
              tie = tie || std::abs(x[k]) < 2e-4 || std::abs(x[k] - last) < 2e-4 ||
                    fraction < 1e-3 || fraction > 1 - 1e-3;
              const auto nearest = static_cast<std::int64_t>(std::floor(x[k] + 0.5));
              at[k] = sample.crop.corner[k] +
                      (drawn.mirror[k] ? recipe_.patch[k] - 1 - nearest : nearest);
            }
            if (tie && drawn.spatial.turn_radians != 0) {
              ++near_ties;
              continue;
            }
            const bool present = contains(file_.info().available, m);
            const float expected = inside ? normalised(m, at) : present ? -5.0f : 0.0f;
            outside += !inside;
            wrong += std::abs(sample.image[i] - expected) > 1e-3f;
            if (m == 0) wrong += sample.label[i] != (inside ? cohort_.tissue(at) : 0);
          }
        }
      }
    }
    EXPECT_EQ(wrong, 0u) << index;
    EXPECT_LT(near_ties, sample.image.size() / 3);
    if (std::abs(drawn.spatial.turn_radians) > 0.06) {
      EXPECT_GT(outside, 100u);
    }
  }
  EXPECT_EQ(planes.size(), 3u);
}

// Images cubic, labels nearest, from a crop that is smaller or larger along each axis.
TEST_P(SampleMakerTest, StretchedAxesAreReadFromAnotherExtent) {
  recipe_.patch = {20, 21, 24};
  recipe_.augmentation.zoom_each_axis = {0.8, 1.25};
  recipe_.augmentation.cubic = true;
  std::set<std::int64_t> extents;
  for (std::uint64_t index = 0; index < 8; ++index) {
    const Sample sample(recipe_, file_, index);
    const auto stretch = draw_augmentation(recipe_.augmentation, 4, 1, index).stretch;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double wanted = static_cast<double>(recipe_.patch[axis]) / stretch[axis];
      EXPECT_NEAR(static_cast<double>(sample.crop.extent[axis]), wanted, 0.5001);
      extents.insert(sample.crop.extent[axis]);
    }
    std::size_t wrong = 0, i = 0;
    for (std::int64_t d = 0; d < 20; ++d) {
      for (std::int64_t h = 0; h < 21; ++h) {
        for (std::int64_t w = 0; w < 24; ++w, ++i) {
          Extent at{};
          const Extent v = {d, h, w};
          for (std::size_t k = 0; k < 3; ++k) {
            const double x = (static_cast<double>(v[k]) + 0.5) *
                                 static_cast<double>(sample.crop.extent[k]) /
                                 static_cast<double>(recipe_.patch[k]) -
                             0.5;
            at[k] = sample.crop.corner[k] + static_cast<std::int64_t>(std::floor(x + 0.5));
          }
          wrong += sample.label[i] != cohort_.tissue(at);
        }
      }
    }
    EXPECT_LT(wrong, 20u) << index;  // ties of rounding
  }
  EXPECT_GT(extents.size(), 10u);
}

// An image scaled to [0, 1] has a histogram of one bin, whose index clips everything to 0.
TEST(CappedNormalisation, ClipsAtTheEdgeWhereTheIndexIsNoIntensity) {
  const TemporaryDirectory folder;
  ToyCase toy("none", false);
  for (IntensityStatistics& s : toy.header.statistics) {
    s.median = 1200;
    s.cap = 900;
    s.capped_mean = 800;
    s.cap_edge = 2500;
    s.edge_mean = 1100;
    s.edge_deviation = 500;
  }
  DataRecipe recipe;
  recipe.normalisation = Normalisation::kCappedZScore;
  const auto map_of = [&] {
    toy.write(folder.path());
    return intensity_map(recipe, CaseFile(folder.path() / "cases/toy.h5"), 1);
  };
  const IntensityMap map = map_of();
  EXPECT_EQ(map.high, 2500);
  EXPECT_EQ(map.shift, 1100);
  recipe.published_cap = true;
  EXPECT_THROW(map_of(), DataError);
  toy.header.statistics[1].cap = 1200;  // no longer below half of them: the published rule
  EXPECT_EQ(map_of().high, 1200);
  EXPECT_EQ(map_of().shift, 800);
  recipe.published_cap = false;
  EXPECT_EQ(map_of().shift, 800);
}

// The brain box is [3, 40) x [4, 45) x [5, 40) of 44 x 50 x 56.
TEST_P(SampleMakerTest, KeptBackgroundIsMappedInsideTheBoxAndZeroOutside) {
  recipe_.patch = {44, 50, 56};
  recipe_.background = Background::kNormalised;
  const Sample sample(recipe_, file_, 0);
  std::size_t i = 0, wrong = 0, background = 0;
  for (int m = 0; m < 4; ++m) {
    for (std::int64_t d = 0; d < 44; ++d) {
      for (std::int64_t h = 0; h < 50; ++h) {
        for (std::int64_t w = 0; w < 56; ++w, ++i) {
          const Extent at = {d, h, w};
          const bool stored = cohort_.toy().in_box(at) && contains(file_.info().available, m);
          const float raw = cohort_.intensity(0, m, at);
          const float expected = stored ? raw - static_cast<float>(0.1 + m) : 0;
          wrong += std::abs(sample.image[i] - expected) > 1e-3f;
          background += stored && raw == ToyCase::kBackground;
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(background, 0u);
}

// Evaluation pads such a volume behind its last voxel; so does training.
TEST_P(SampleMakerTest, ACaseSmallerThanThePatchIsPaddedWithBackground) {
  recipe_.patch = {48, 50, 60};
  recipe_.background = Background::kNormalised;
  const Sample sample(recipe_, file_, 0);
  EXPECT_EQ(sample.crop.corner, (Extent{0, 0, 0}));
  std::size_t i = 0, wrong = 0;
  for (int m = 0; m < 4; ++m) {
    for (std::int64_t d = 0; d < 48; ++d) {
      for (std::int64_t h = 0; h < 50; ++h) {
        for (std::int64_t w = 0; w < 60; ++w, ++i) {
          const Extent at = {d, h, w};
          const bool stored = cohort_.toy().in_box(at) && contains(file_.info().available, m);
          const float expected =
              stored ? cohort_.intensity(0, m, at) - static_cast<float>(0.1 + m) : 0;
          wrong += std::abs(sample.image[i] - expected) > 1e-3f;
          if (m == 0) wrong += sample.label[i] != cohort_.tissue(at);
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
}

INSTANTIATE_TEST_SUITE_P(Codecs, SampleMakerTest, ::testing::Values("none", "lz4"));

}  // namespace
}  // namespace lacuna::data

#include "data/sampling/normalise.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::data {
namespace {

std::vector<float> normalise(Normalisation normalisation, const IntensityStatistics& statistics,
                             const std::vector<float>& raw, bool reversed = false,
                             Background background = Background::kZero) {
  const std::vector<std::int16_t> stored(raw.begin(), raw.end());
  std::vector<float> out(raw.size());
  StoredRow row;
  row.count = static_cast<std::int64_t>(raw.size());
  row.integers = stored.data();
  normalise_row(intensity_map(normalisation, statistics, background), row, out.data(), reversed);
  return out;
}

// ShaSpec: maximum 1000, the last histogram bin with 50 voxels or more at 900.
TEST(Normalise, CappedZScoreHasMeanZeroAndDeviationOneInTheBrain) {
  std::vector<float> raw(2000, 0.0f);  // background
  for (int i = 0; i < 900; ++i) raw.push_back(static_cast<float>(100 + i % 700));
  for (int i = 0; i < 60; ++i) raw.push_back(900);
  for (int i = 0; i < 10; ++i) raw.push_back(static_cast<float>(910 + 10 * i));
  double sum = 0, squares = 0, voxels = 0;
  for (const float value : raw) {
    if (value == 0) continue;
    const double capped = std::min(value, 900.0f);
    sum += capped;
    squares += capped * capped;
    ++voxels;
  }
  IntensityStatistics statistics;
  statistics.cap = 900;
  statistics.capped_mean = sum / voxels;
  statistics.capped_deviation = std::sqrt(squares / voxels - sum / voxels * sum / voxels);

  const std::vector<float> out = normalise(Normalisation::kCappedZScore, statistics, raw);
  double out_sum = 0, out_squares = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == 0) {
      EXPECT_EQ(out[i], 0);
      continue;
    }
    if (raw[i] >= 900) {
      EXPECT_EQ(out[i], out[2900]);
    }
    out_sum += out[i];
    out_squares += double{out[i]} * out[i];
  }
  EXPECT_NEAR(out_sum / voxels, 0, 1e-3);
  EXPECT_NEAR(out_squares / voxels, 1, 1e-3);
}

TEST(Normalise, EachKindMatchesItsFormula) {
  IntensityStatistics s;
  s.minimum = 0;
  s.maximum = 200;
  s.mean = 50;
  s.deviation = 25;
  s.percentile_1 = 20;
  s.percentile_99 = 120;
  s.trimmed_mean = 60;
  s.trimmed_deviation = 20;
  const std::vector<float> raw = {0, 10, 50, 100, 200};
  const auto expect = [&](Normalisation kind, const std::vector<float>& expected) {
    const std::vector<float> out = normalise(kind, s, raw);
    for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-6);
  };
  expect(Normalisation::kZScore, {0, -1.6f, 0, 2, 6});
  expect(Normalisation::kMinMax, {0, 0.05f, 0.25f, 0.5f, 1});
  expect(Normalisation::kPercentile, {0, 0, 0.3f, 0.8f, 1});
  expect(Normalisation::kTrimmedZScore, {0, -2.5f, -0.5f, 2, 7});  // not clipped
}

TEST(Normalise, BackgroundCanBeMappedLikeEveryVoxel) {
  IntensityStatistics s;
  s.background = 3;
  s.mean = 50;
  s.deviation = 25;
  s.trimmed_mean = 60;
  s.trimmed_deviation = 20;
  const std::vector<float> raw = {3, 50, 100};
  const auto z = normalise(Normalisation::kZScore, s, raw, false, Background::kNormalised);
  const auto t = normalise(Normalisation::kTrimmedZScore, s, raw, true, Background::kNormalised);
  const std::vector<float> expected_z = {-1.88f, 0, 2}, expected_t = {2, -0.5f, -2.85f};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(z[i], expected_z[i], 1e-6);
    EXPECT_NEAR(t[i], expected_t[i], 1e-6);
  }
}

TEST(Normalise, BackgroundStaysZeroWhateverItsValue) {
  IntensityStatistics s;
  s.background = -1024;
  s.mean = 100;
  s.deviation = 50;
  EXPECT_EQ(normalise(Normalisation::kZScore, s, {-1024, 0, 150}), (std::vector<float>{0, -2, 1}));
}

TEST(Normalise, AVolumeWithoutContrastBecomesZero) {
  IntensityStatistics s;
  s.mean = 7;
  s.deviation = 0;
  EXPECT_EQ(normalise(Normalisation::kZScore, s, {0, 7, 7}), (std::vector<float>{0, 0, 0}));
}

// 0x3c00, 0x4000, 0x4200 are the halves 1, 2, 3; more than one piece of a row, both directions.
TEST(Normalise, HalvesAreScaledFirst) {
  std::vector<std::uint16_t> halves;
  for (int i = 0; i < 600; ++i)
    halves.push_back(i % 7 == 0 ? 0x3c00 : i % 2 == 0 ? 0x4000 : 0x4200);
  StoredRow row;
  row.count = 600;
  row.halves = halves.data();
  row.scale = 10;
  row.offset = -10;  // intensities 0 (background), 10, 20
  IntensityStatistics s;
  s.mean = 5;
  std::vector<float> straight(600), reversed(600);
  normalise_row(intensity_map(Normalisation::kZScore, s), row, straight.data(), false);
  normalise_row(intensity_map(Normalisation::kZScore, s), row, reversed.data(), true);
  for (int i = 0; i < 600; ++i) {
    const float expected = i % 7 == 0 ? 0.0f : i % 2 == 0 ? 5.0f : 15.0f;
    EXPECT_EQ(straight[static_cast<std::size_t>(i)], expected);
    EXPECT_EQ(reversed[static_cast<std::size_t>(599 - i)], expected);
  }
}

TEST(Normalise, ReversedRowsAreMirrored) {
  IntensityStatistics s;
  s.maximum = 4;
  std::vector<float> raw;
  for (int i = 0; i < 19; ++i) raw.push_back(static_cast<float>(i % 5));
  const auto straight = normalise(Normalisation::kMinMax, s, raw);
  const auto reversed = normalise(Normalisation::kMinMax, s, raw, true);
  EXPECT_EQ(std::vector<float>(reversed.rbegin(), reversed.rend()), straight);
}

}  // namespace
}  // namespace lacuna::data

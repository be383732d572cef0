#include "data/augment/augment_spatial.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace lacuna::data {
namespace {

constexpr double kQuarterTurn = std::numbers::pi / 2;

std::vector<float> random_volume(std::size_t count, std::uint32_t sub) {
  Stream stream(1, Purpose::kTest, 0, sub);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(stream.normal()));
  return values;
}

ResampleSource source_of(const Extent& extent, const std::vector<std::vector<float>>& channels,
                         const std::vector<std::uint8_t>& label) {
  ResampleSource source;
  source.reset(extent, static_cast<int>(channels.size()));
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const std::int64_t row = (d * extent[1] + h) * extent[2];
      for (std::size_t c = 0; c < channels.size(); c += 4) {
        const auto channel = [&](std::size_t lane) {
          return channels[std::min(c + lane, channels.size() - 1)].data() + row;
        };
        source.set_rows(static_cast<int>(c), d, h,
                        {channel(0), channel(1), channel(2), channel(3)});
      }
      source.set_label_row(d, h, label.data() + row);
    }
  }
  return source;
}

struct Resampled {
  std::vector<float> image;
  std::vector<std::uint8_t> label;
};

Resampled resampled(const ResampleSource& source, const SamplingMap& map, const Extent& patch,
                    ResampleOptions options = {}) {
  const auto voxels = static_cast<std::size_t>(patch[0] * patch[1] * patch[2]);
  Resampled out{std::vector<float>(voxels * static_cast<std::size_t>(source.channels())),
                std::vector<std::uint8_t>(voxels)};
  resample(source, map, options, patch, out.image.data(), out.label.data());
  return out;
}

// The value at a position, straight from the definition of linear interpolation.
double linear_at(const std::vector<float>& volume, const Extent& extent,
                 const std::array<double, 3>& x) {
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::int64_t flat = 0;
    bool inside = true;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double floor = std::floor(x[axis]);
      const int side = corner >> axis & 1;
      const auto at = static_cast<std::int64_t>(floor) + side;
      weight *= side == 1 ? x[axis] - floor : 1 - (x[axis] - floor);
      inside = inside && at >= 0 && at < extent[axis];
      flat = flat * extent[axis] + at;
    }
    if (inside) sum += weight * volume[static_cast<std::size_t>(flat)];
  }
  return sum;
}

TEST(SpatialMap, DoingNothingIsTheIdentity) {
  const SamplingMap map = spatial_map({}, {4, 5, 6}, {4, 5, 6}, nullptr);
  EXPECT_EQ(map.matrix, SamplingMap{}.matrix);
  for (const double offset : map.offset) EXPECT_NEAR(offset, 0, 1e-12);
}

// A quarter turn about D moves rows to columns.
TEST(SpatialMap, RotatesAboutTheCentreOfThePatch) {
  const Extent extent = {1, 3, 3};
  const ResampleSource source =
      source_of(extent, {{1, 2, 3, 4, 5, 6, 7, 8, 9}}, {0, 1, 0, 0, 2, 0, 3, 0, 0});
  SpatialChange change;
  change.radians = {kQuarterTurn, 0, 0};
  const Resampled out = resampled(source, spatial_map(change, extent, extent, nullptr), extent);
  const std::vector<float> clockwise = {7, 4, 1, 8, 5, 2, 9, 6, 3};
  const std::vector<float> counter = {3, 6, 9, 2, 5, 8, 1, 4, 7};
  std::vector<float> rounded;
  for (const float value : out.image) rounded.push_back(std::round(value));
  // batchgenerators: coordinates (row vectors) times [[1,0,0],[0,c,-s],[0,s,c]], so the voxel (h,
  // w) reads at (w, -h) from the centre.
  EXPECT_EQ(rounded, counter);
  EXPECT_NE(rounded, clockwise);
  EXPECT_EQ(out.label, (std::vector<std::uint8_t>{0, 0, 0, 1, 2, 0, 0, 0, 3}));
}

TEST(SpatialMap, ZoomAboveOneShrinksTheContents) {
  const Extent extent = {1, 1, 5};
  const ResampleSource source = source_of(extent, {{10, 20, 30, 40, 50}}, {1, 1, 1, 1, 1});
  SpatialChange change;
  change.zoom = 2;  // positions -4, -2, 0, 2, 4 from the centre: voxels -2, 0, 2, 4, 6
  const Resampled out = resampled(source, spatial_map(change, extent, extent, nullptr), extent);
  EXPECT_EQ(out.image, (std::vector<float>{0, 10, 30, 50, 0}));
  EXPECT_EQ(out.label, (std::vector<std::uint8_t>{0, 1, 1, 1, 0}));
}

// Half-pixel centres: 4 voxels from a crop of 6 read at 0.25, 1.75, 3.25, 4.75.
TEST(SpatialMap, ScalesACropToThePatchWithHalfPixelCentres) {
  const ResampleSource source = source_of({1, 1, 6}, {{0, 10, 20, 30, 40, 50}}, {0, 1, 2, 3, 0, 1});
  const Extent patch = {1, 1, 4};
  const Resampled out =
      resampled(source, spatial_map({}, patch, {1, 1, 6}, nullptr), patch, {.nearest_label = true});
  const std::vector<float> expected = {2.5f, 17.5f, 32.5f, 47.5f};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(out.image[i], expected[i], 1e-4);
  EXPECT_EQ(out.label, (std::vector<std::uint8_t>{0, 2, 3, 1}));
}

TEST(Resample, LinearEqualsBruteForceForAnyNumberOfChannels) {
  const Extent extent = {6, 7, 9}, patch = {5, 8, 11};
  for (const std::size_t count : {1u, 2u, 4u, 5u}) {
    std::vector<std::vector<float>> channels;
    for (std::uint32_t c = 0; c < count; ++c) channels.push_back(random_volume(6 * 7 * 9, c));
    const ResampleSource source =
        source_of(extent, channels, std::vector<std::uint8_t>(6 * 7 * 9, 0));
    SpatialChange change;
    change.radians = {0.2, -0.15, 0.25};
    change.zoom = 1.1;
    const SamplingMap map = spatial_map(change, patch, extent, nullptr);
    const Resampled out = resampled(source, map, patch);
    std::size_t i = 0;
    for (const auto& channel : channels) {
      for (int d = 0; d < patch[0]; ++d) {
        for (int h = 0; h < patch[1]; ++h) {
          for (int w = 0; w < patch[2]; ++w, ++i) {
            std::array<double, 3> x = map.offset;
            for (std::size_t a = 0; a < 3; ++a) {
              x[a] += map.matrix[a][0] * d + map.matrix[a][1] * h + map.matrix[a][2] * w;
            }
            EXPECT_NEAR(out.image[i], linear_at(channel, extent, x), 2e-5);
          }
        }
      }
    }
  }
}

// scipy.ndimage.map_coordinates(v, points, order=3, mode="constant") with v[i] = (7 i^2 + 3 i) mod
// 23 in 3 x 4 x 5: each point is the only voxel of a patch.
TEST(Resample, CubicEqualsScipy) {
  const Extent extent = {3, 4, 5};
  std::vector<float> values;
  for (int i = 0; i < 60; ++i) values.push_back(static_cast<float>((7 * i * i + 3 * i) % 23));
  ResampleSource source = source_of(extent, {values}, std::vector<std::uint8_t>(60, 0));
  source.prefilter();
  const std::array<std::array<double, 3>, 5> points = {
      {{0.3, 1.7, 2.2}, {1.5, 0.0, 3.9}, {2, 3, 4}, {1.1, 2.9, 0.4}, {-0.2, 1, 1}}};
  const std::array<double, 5> expected = {12.45681, 16.98058, 3, 8.214192, 0};
  for (std::size_t i = 0; i < points.size(); ++i) {
    SamplingMap map;
    map.offset = points[i];
    EXPECT_NEAR(resampled(source, map, {1, 1, 1}, {.cubic = true}).image[0], expected[i], 2e-4)
        << i;
  }
}

// Each region on its own: linear on its indicator, >= 1/2, ET in TC in WT.
TEST(Resample, LabelsFollowTheIndicatorsOfTheRegions) {
  Stream stream(2, Purpose::kTest, 0);
  const Extent extent = {7, 7, 7};
  std::vector<std::uint8_t> label;
  for (int i = 0; i < 343; ++i) label.push_back(static_cast<std::uint8_t>(stream.below(4)));
  const ResampleSource source = source_of(extent, {std::vector<float>(343, 0.0f)}, label);
  SpatialChange change;
  change.radians = {0.1, 0.2, -0.1};
  const SamplingMap map = spatial_map(change, extent, extent, nullptr);
  const Resampled out = resampled(source, map, extent);
  const auto indicator = [&](std::uint32_t tissues) {
    std::vector<float> values;
    for (const std::uint8_t tissue : label) {
      values.push_back(static_cast<float>(tissues >> tissue & 1u));
    }
    return values;
  };
  const auto et = indicator(0b1000), tc = indicator(0b1010), wt = indicator(0b1110);
  std::size_t i = 0;
  for (int d = 0; d < 7; ++d) {
    for (int h = 0; h < 7; ++h) {
      for (int w = 0; w < 7; ++w, ++i) {
        std::array<double, 3> x = map.offset;
        for (std::size_t a = 0; a < 3; ++a) {
          x[a] += map.matrix[a][0] * d + map.matrix[a][1] * h + map.matrix[a][2] * w;
        }
        const double of_et = linear_at(et, extent, x), of_tc = linear_at(tc, extent, x),
                     of_wt = linear_at(wt, extent, x);
        if (std::min({std::abs(of_et - 0.5), std::abs(of_tc - 0.5), std::abs(of_wt - 0.5)}) <
            1e-5) {
          continue;  // a tie in exact arithmetic
        }
        const int expected = of_et >= 0.5 ? 3 : of_tc >= 0.5 ? 1 : of_wt >= 0.5 ? 2 : 0;
        EXPECT_EQ(out.label[i], expected);
      }
    }
  }
}

TEST(Resample, AddsTheDisplacementBeforeTheMatrix) {
  const Extent extent = {12, 12, 12};
  std::vector<float> ramp;
  for (int i = 0; i < 1728; ++i) ramp.push_back(static_cast<float>(i % 12));
  const ResampleSource source = source_of(extent, {ramp}, std::vector<std::uint8_t>(1728, 0));
  const ElasticField field(extent, 20, 9, {1, Purpose::kTest, 0, 40});
  std::array<std::vector<float>, 3> moved;
  for (auto& axis : moved) axis.resize(12);
  field.row(6, 6, {moved[0].data(), moved[1].data(), moved[2].data()});
  SpatialChange change;
  change.zoom = 0.5;
  const Resampled out = resampled(source, spatial_map(change, extent, extent, &field), extent);
  for (std::size_t w = 0; w < 12; ++w) {
    const double expected = 5.5 + 0.5 * (static_cast<double>(w) - 5.5 + moved[2][w]);
    EXPECT_NEAR(out.image[(6 * 12 + 6) * 12 + w], expected, 1e-4);
  }
}

// The published field has, far from the border, the standard deviation
// alpha * sqrt(1/3) * (2 sqrt(pi) sigma)^(-3/2), and the correlation exp(-r^2 / (4 sigma^2)).
TEST(ElasticField, HasThePublishedVarianceAndCorrelation) {
  const Extent patch = {73, 81, 100};
  constexpr double kSigma = 9, kAlpha = 100;
  constexpr std::size_t kApart = 12;
  double squares = 0, products = 0, count = 0;
  for (std::uint64_t index = 0; index < 150; ++index) {
    const ElasticField field(patch, kAlpha, kSigma, {7, Purpose::kTest, index, 40});
    std::array<std::vector<float>, 3> moved;
    for (auto& axis : moved) axis.resize(100);
    field.row(36, 40, {moved[0].data(), moved[1].data(), moved[2].data()});
    for (const auto& axis : moved) {
      for (const std::size_t w : {38u, 50u, 62u}) {
        squares += axis[w] * axis[w];
        products += axis[w - kApart / 2] * axis[w + kApart / 2];
        ++count;
      }
    }
  }
  const double expected =
      kAlpha * kAlpha / 3 / std::pow(2 * std::sqrt(std::numbers::pi) * kSigma, 3);
  // About 150 * 3 * 2 independent values: 5 standard deviations of a variance are 24 %.
  EXPECT_NEAR(squares / count / expected, 1, 0.24);
  EXPECT_NEAR(products / squares, std::exp(-144 / (4 * kSigma * kSigma)), 0.1);
}

}  // namespace
}  // namespace lacuna::data

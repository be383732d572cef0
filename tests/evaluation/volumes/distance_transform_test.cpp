#include "evaluation/volumes/distance_transform.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/evaluation/random_masks.h"

namespace lacuna::evaluation {
namespace {

using Spacing = std::array<double, 3>;

std::vector<std::array<std::int64_t, 3>> positions(const Extent& extent,
                                                   const std::vector<std::uint8_t>& voxels) {
  std::vector<std::array<std::int64_t, 3>> set;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(voxels.size()); ++i) {
    if (voxels[static_cast<std::size_t>(i)] == 0) continue;
    set.push_back({i / (extent[1] * extent[2]), i / extent[2] % extent[1], i % extent[2]});
  }
  return set;
}

// Every pair of voxel and seed.
std::vector<double> brute_force(const Extent& extent, const std::vector<std::uint8_t>& seeds,
                                const std::vector<std::uint8_t>& voxels, const Spacing& spacing) {
  std::vector<double> squares;
  for (const auto& from : positions(extent, voxels)) {
    double best = std::numeric_limits<double>::infinity();
    for (const auto& to : positions(extent, seeds)) {
      double square = 0;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const double step = static_cast<double>(from[axis] - to[axis]) * spacing[axis];
        square += step * step;
      }
      best = std::min(best, square);
    }
    squares.push_back(best);
  }
  return squares;
}

Box whole(const Extent& extent) { return {{0, 0, 0}, extent}; }

void expect_exact(const Extent& extent, const std::vector<std::uint8_t>& seeds,
                  const Spacing& spacing, int threads) {
  const std::vector<std::uint8_t> everywhere(seeds.size(), 1);
  const DistanceTransform transform(mask_of(extent, seeds), whole(extent), spacing, threads);
  const auto measured = transform.squared_mm_at(mask_of(extent, everywhere), threads);
  const auto expected = brute_force(extent, seeds, everywhere, spacing);
  ASSERT_EQ(measured.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // Sums of three rounded squares in another order.
    ASSERT_NEAR(measured[i], expected[i], 1e-12 * expected[i]) << "voxel " << i;
  }
}

TEST(DistanceTransform, EqualsBruteForceOnRandomSeeds) {
  std::uint64_t seed = 0;
  for (const Extent extent : {Extent{9, 11, 13}, Extent{5, 17, 33}, Extent{12, 3, 70}}) {
    for (const double density : {0.002, 0.02, 0.3}) {
      auto seeds = random_voxels(extent, density, ++seed);
      seeds[seed * 37 % seeds.size()] = 1;
      expect_exact(extent, seeds, {1, 1, 1}, 1);
      expect_exact(extent, seeds, {5, 0.9, 1.3}, 2);
      expect_exact(extent, seeds, {0.7, 0.7, 3}, 3);
      expect_exact(extent, seeds, {2, 2, 2}, 1);  // isotropic, but not voxel units
    }
  }
}

TEST(DistanceTransform, HandlesThinVolumesAndSeedsInCorners) {
  for (const Extent extent :
       {Extent{1, 1, 1}, Extent{1, 1, 100}, Extent{1, 40, 1}, Extent{40, 1, 1}, Extent{6, 6, 6}}) {
    std::vector<std::uint8_t> first(static_cast<std::size_t>(extent[0] * extent[1] * extent[2]));
    auto last = first;
    first.front() = last.back() = 1;
    expect_exact(extent, first, {1, 1, 1}, 1);
    expect_exact(extent, last, {1.5, 0.25, 2}, 1);
  }
}

TEST(DistanceTransform, WorksOnABoxOfTheVolume) {
  const Extent extent{10, 12, 90};
  std::vector<std::uint8_t> seeds(10 * 12 * 90), voxels(seeds.size());
  seeds[(4 * 12 + 5) * 90 + 70] = seeds[(6 * 12 + 9) * 90 + 62] = 1;
  voxels[(4 * 12 + 9) * 90 + 67] = voxels[(6 * 12 + 5) * 90 + 63] = 1;
  const Box box{{4, 5, 62}, {3, 5, 9}};
  const DistanceTransform transform(mask_of(extent, seeds), box, {1, 1, 1});
  // (0,4,3) from the first seed; (0,4,1) from the second.
  EXPECT_EQ(transform.squared_mm_at(mask_of(extent, voxels)), (std::vector<double>{25, 17}));
}

TEST(DistanceTransform, SpacingScalesDistances) {
  const Extent extent{8, 9, 20};
  const auto seeds = random_voxels(extent, 0.01, 5), voxels = random_voxels(extent, 0.2, 6);
  const DistanceTransform one(mask_of(extent, seeds), whole(extent), {1, 2, 3});
  const DistanceTransform four(mask_of(extent, seeds), whole(extent), {4, 8, 12});
  const auto small = one.squared_mm_at(mask_of(extent, voxels));
  const auto large = four.squared_mm_at(mask_of(extent, voxels));
  ASSERT_EQ(small.size(), large.size());
  for (std::size_t i = 0; i < small.size(); ++i) EXPECT_EQ(16 * small[i], large[i]);
}

TEST(DistanceTransform, IsExactInMillimetresForLongIsotropicDistances) {
  const Extent extent{2, 2, 2000};
  std::vector<std::uint8_t> seeds(8000), voxels(8000);
  seeds.front() = voxels.back() = 1;
  const DistanceTransform transform(mask_of(extent, seeds), whole(extent), {1, 1, 1});
  EXPECT_EQ(transform.squared_mm_at(mask_of(extent, voxels)).front(), 1999.0 * 1999 + 2);
}

// 4999^2 = 24990001 has no single precision number.
TEST(DistanceTransform, IsExactBeyondWhatSinglePrecisionHolds) {
  const Extent extent{1, 1, 5000};
  std::vector<std::uint8_t> seeds(5000), voxels(5000);
  seeds.front() = voxels.back() = 1;
  const DistanceTransform transform(mask_of(extent, seeds), whole(extent), {1, 1, 1});
  EXPECT_EQ(transform.squared_mm_at(mask_of(extent, voxels)).front(), 4999.0 * 4999);
}

}  // namespace
}  // namespace lacuna::evaluation

#include "data/nifti/orientation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/nifti/regrid.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

using Size = std::array<std::int64_t, 3>;

// Every order and direction of the axes.
std::vector<std::string> all_codes() {
  std::vector<std::string> codes;
  std::array<std::size_t, 3> order{0, 1, 2};
  const char* letters[3] = {"LR", "PA", "IS"};
  do {
    for (std::size_t signs = 0; signs < 8; ++signs) {
      std::string one;
      for (std::size_t a = 0; a < 3; ++a) one += letters[order[a]][signs >> a & 1];
      codes.push_back(one);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return codes;
}

std::array<double, 3> world(const Affine& affine, const Size& voxel) {
  std::array<double, 3> at{};
  for (std::size_t row = 0; row < 3; ++row) {
    at[row] = affine[row][3];
    for (std::size_t a = 0; a < 3; ++a) at[row] += affine[row][a] * static_cast<double>(voxel[a]);
  }
  return at;
}

TEST(AxisCodes, NameTheDirectionsOfTheAxes) {
  const Affine ras{{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 3, 0}, {0, 0, 0, 1}}};
  EXPECT_EQ(axis_codes(ras), "RAS");
  const Affine brats{{{-1, 0, 0, 0}, {0, -1, 0, 239}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
  EXPECT_EQ(axis_codes(brats), "LPS");
  const Affine sagittal{{{0, 0, -5, 0}, {1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 0, 1}}};
  EXPECT_EQ(axis_codes(sagittal), "AIL");
  // 30 degrees about the x axis.
  const Affine oblique{{{1, 0, 0, 0}, {0, .866, -.5, 0}, {0, .5, .866, 0}, {0, 0, 0, 1}}};
  EXPECT_EQ(axis_codes(oblique), "RAS");
}

TEST(AxisTurn, RefusesWhatIsNoOrientation) {
  for (const char* bad : {"", "RA", "RAX", "RRS", "RLS", "ras", "RASL"}) {
    EXPECT_THROW(axis_turn("RAS", bad), ConfigError) << bad;
    EXPECT_THROW(axis_turn(bad, "RAS"), ConfigError) << bad;
  }
}

// A voxel keeps its value and its place in the world, from any of the 48 to any other.
TEST(AxisTurn, All48OrdersHoldTheSameVolume) {
  const Size size{4, 5, 6};
  const Affine affine{{{-1, 0, 0, 10}, {0, -1.5, 0, 20}, {0, 0, 5.5, -7}, {0, 0, 0, 1}}};
  std::vector<std::int16_t> volume(4 * 5 * 6);
  std::iota(volume.begin(), volume.end(), std::int16_t{0});
  const auto codes = all_codes();
  ASSERT_EQ(std::set<std::string>(codes.begin(), codes.end()).size(), 48u);
  for (const std::string& code : codes) {
    const AxisTurn turn = axis_turn("LPS", code);
    const Size there = turned(size, turn);
    const Affine moved = turned(affine, size, turn);
    EXPECT_EQ(axis_codes(moved), code);
    const auto values = turned(volume, size, turn);
    for (std::int64_t k = 0; k < there[2]; ++k) {
      for (std::int64_t i = 0; i < there[0]; ++i) {
        for (std::int64_t j = 0; j < there[1]; ++j) {
          const std::int16_t value =
              values[static_cast<std::size_t>((k * there[0] + i) * there[1] + j)];
          const Size original{value / 5 % 4, value % 5, value / 20};
          const auto a = world(moved, {i, j, k}), b = world(affine, original);
          for (std::size_t axis = 0; axis < 3; ++axis) ASSERT_NEAR(a[axis], b[axis], 1e-9) << code;
        }
      }
    }
    EXPECT_EQ(axis_turn(code, "LPS"), turn.inverse()) << code;
    EXPECT_EQ(turned(values, there, turn.inverse()), volume) << code;
  }
}

// Faces stay, so that 3 voxels of 2 mm become 6 of 1 mm with centres a quarter voxel off.
TEST(Regrid, ImagesAreLinearAndLabelsNearest) {
  EXPECT_EQ(regridded(3, 2.0, 1.0), 6);
  EXPECT_EQ(regridded(25, 6.5, 1.0), 163);
  EXPECT_EQ(regridded(1, 0.2, 1.0), 1);
  const std::vector<float> row = {0, 10, 20};
  EXPECT_EQ(regrid(row, {1, 1, 3}, {1, 1, 6}),
            (std::vector<float>{0, 2.5f, 7.5f, 12.5f, 17.5f, 20}));
  EXPECT_EQ(regrid(row, {3, 1, 1}, {6, 1, 1}),
            (std::vector<float>{0, 2.5f, 7.5f, 12.5f, 17.5f, 20}));
  EXPECT_EQ(regrid(row, {1, 3, 1}, {1, 3, 1}), row);
  EXPECT_EQ(regrid_label({1, 2, 3}, {1, 1, 3}, {1, 1, 6}),
            (std::vector<std::uint8_t>{1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(regrid_label({1, 1, 2, 2, 3, 3}, {1, 6, 1}, {1, 3, 1}),
            (std::vector<std::uint8_t>{1, 2, 3}));
  const Affine affine{{{2, 0, 0, 5}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
  const Affine finer = regridded(affine, {3, 4, 5}, {6, 4, 5});
  EXPECT_EQ(finer[0][0], 1);
  EXPECT_EQ(finer[0][3], 4.5);  // the face stays at 4
  EXPECT_EQ(finer[1], affine[1]);
}

}  // namespace
}  // namespace lacuna::data

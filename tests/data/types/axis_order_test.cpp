#include "data/types/axis_order.h"

#include <vector>

#include <gtest/gtest.h>

namespace lacuna::data {
namespace {

TEST(AxisOrder, VoxelOfAFileIsElementKIJ) {
  EXPECT_EQ(to_depth_first<int>({240, 241, 155}), (std::array<int, 3>{155, 240, 241}));
  EXPECT_EQ(to_file_order<int>({155, 240, 241}), (std::array<int, 3>{240, 241, 155}));
  // Larger than a block and no multiple of it, so that every border is met.
  const std::int64_t ni = 37, nj = 70, nk = 3;
  std::vector<std::int64_t> file(static_cast<std::size_t>(ni * nj * nk)), volume(file.size());
  for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<std::int64_t>(i);
  transpose_slices(file.data(), nk, nj, ni, volume.data(), [](std::int64_t v) { return v; });
  for (std::int64_t i = 0; i < ni; ++i) {
    for (std::int64_t j = 0; j < nj; ++j) {
      for (std::int64_t k = 0; k < nk; ++k) {
        ASSERT_EQ(volume[static_cast<std::size_t>((k * ni + i) * nj + j)], i + ni * (j + nj * k));
      }
    }
  }
  std::vector<std::int64_t> back(file.size());
  transpose_slices(volume.data(), nk, ni, nj, back.data(), [](std::int64_t v) { return v; });
  EXPECT_EQ(back, file);
}

}  // namespace
}  // namespace lacuna::data

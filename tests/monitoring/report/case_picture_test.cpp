#include "monitoring/report/case_picture.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::monitoring {
namespace {

CaseVolumes volumes(const data::Extent& extent) {
  const auto count = static_cast<std::size_t>(extent[0] * extent[1] * extent[2]);
  CaseVolumes made;
  made.extent = extent;
  for (int m = 0; m < 2; ++m) {
    made.images.emplace_back();
    for (std::size_t i = 0; i < count; ++i) made.images.back().push_back(static_cast<float>(i));
  }
  made.masks.assign(2, std::vector<std::uint8_t>(count, 0));
  return made;
}

std::array<int, 3> pixel(const Image& image, int x, int y) {
  const auto at = static_cast<std::size_t>((y * image.width + x) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

// Planes go through the tumour, and each mask is coloured in its own panel alone.
TEST(CasePicture, CutsWhereTheTumourIsAndColoursMasksAlone) {
  CaseVolumes of = volumes({4, 200, 210});
  of.masks[0][static_cast<std::size_t>((1 * 200 + 150) * 210 + 30)] = 3;
  const CasePicture picture = draw_case(of);
  EXPECT_EQ(picture.centre, (data::Extent{1, 150, 30}));
  EXPECT_EQ(picture.image.width, 4 * 210 + 3 * 4);
  EXPECT_EQ(picture.image.height, 200 + 4 + 4 + 4 + 4);
  const auto is_grey = [](const std::array<int, 3>& p) { return p[0] == p[1] && p[1] == p[2]; };
  EXPECT_FALSE(is_grey(pixel(picture.image, 2 * 214 + 30, 150)));
  for (const int panel : {0, 1, 3}) {
    EXPECT_TRUE(is_grey(pixel(picture.image, panel * 214 + 30, 150))) << panel;
  }
  // Coronal below it: superior on top, so slice 1 of 4 is the third row.
  EXPECT_FALSE(is_grey(pixel(picture.image, 2 * 214 + 30, 200 + 4 + 2)));
  EXPECT_TRUE(is_grey(pixel(picture.image, 2 * 214 + 30, 200 + 4 + 1)));
  // Sagittal: columns are H.
  EXPECT_FALSE(is_grey(pixel(picture.image, 2 * 214 + 150, 200 + 4 + 4 + 4 + 2)));
}

TEST(CasePicture, ThickSlicesAreDrawnHighAndSmallVolumesLarge) {
  CaseVolumes of = volumes({10, 200, 200});
  of.spacing_mm = {5, 1, 1};
  EXPECT_EQ(draw_case(of).image.height, 200 + 2 * 50 + 8);
  EXPECT_EQ(draw_case(volumes({10, 50, 40})).image.height, 4 * (50 + 10 + 10) + 8);
}

TEST(CasePicture, RefusesVolumesOfAnotherExtent) {
  CaseVolumes of = volumes({2, 3, 4});
  of.masks[1].pop_back();
  EXPECT_THROW(draw_case(of), Error);
  EXPECT_THROW(draw_case({}), Error);
}

}  // namespace
}  // namespace lacuna::monitoring

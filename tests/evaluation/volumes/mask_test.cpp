#include "evaluation/volumes/mask.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/evaluation/random_masks.h"

namespace lacuna::evaluation {
namespace {

bool is_set(const Mask& mask, std::int64_t d, std::int64_t h, std::int64_t w) {
  return (mask.row(d, h)[static_cast<std::size_t>(w / 64)] >> (w % 64) & 1u) != 0;
}

TEST(RegionMasks, HoldTheTissuesOfEachRegion) {
  const Extent extent{2, 3, 70};  // rows longer than a word, with a ragged end
  std::vector<std::uint8_t> labels(2 * 3 * 70);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i * 7 % 5);
  const auto regions = data::tumour_regions();
  const auto masks = region_masks(labels, extent, regions);
  for (std::size_t r = 0; r < regions.size(); ++r) {
    std::int64_t voxels = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const bool expected = data::contains(regions[r], labels[i]);
      voxels += expected;
      ASSERT_EQ(is_set(masks[r], at / 210, at / 70 % 3, at % 70), expected) << r << " " << i;
    }
    EXPECT_EQ(masks[r].count(), voxels);
  }
  EXPECT_EQ(count_common(masks[0], masks[2]), masks[0].count());  // ET lies inside WT
}

TEST(RegionMasks, RefuseWrongSizesAndLabels) {
  EXPECT_THROW(region_masks(std::vector<std::uint8_t>(7), {2, 2, 2}, {}), DataError);
  EXPECT_THROW(region_masks(std::vector<std::uint8_t>(8, 9), {2, 2, 2}, {}), DataError);
}

TEST(Mask, BoundingBoxIsTight) {
  std::vector<std::uint8_t> voxels(4 * 5 * 130);
  EXPECT_TRUE(mask_of({4, 5, 130}, voxels).bounding_box().empty());
  voxels[(1 * 5 + 4) * 130 + 63] = 1;
  EXPECT_EQ(mask_of({4, 5, 130}, voxels).bounding_box(), (Box{{1, 4, 63}, {1, 1, 1}}));
  voxels[(3 * 5 + 2) * 130 + 128] = 1;
  EXPECT_EQ(mask_of({4, 5, 130}, voxels).bounding_box(), (Box{{1, 2, 63}, {3, 3, 66}}));
}

TEST(Box, UnionAndInclusionTreatEmptyBoxesAsNothing) {
  const Box a{{1, 2, 3}, {2, 2, 2}}, b{{0, 3, 4}, {1, 5, 1}};
  EXPECT_EQ(unite(a, b), (Box{{0, 2, 3}, {3, 6, 2}}));
  EXPECT_EQ(unite(a, Box{}), a);
  EXPECT_EQ(unite(Box{}, a), a);
  EXPECT_TRUE(is_inside(a, unite(a, b)));
  EXPECT_FALSE(is_inside(unite(a, b), a));
  EXPECT_TRUE(is_inside(Box{}, a));
}

// The definition, voxel by voxel; volumes whose masks touch every border.
TEST(Surface, IsWhatASixNeighbourErosionRemoves) {
  for (const Extent extent : {Extent{4, 5, 6}, Extent{3, 4, 64}, Extent{1, 3, 129},
                              Extent{5, 6, 129}, Extent{3, 3, 192}}) {
    const auto voxels = random_voxels(extent, 0.9, 11);
    const Mask surface = surface_of(mask_of(extent, voxels));
    const auto set = [&](std::int64_t d, std::int64_t h, std::int64_t w) {
      if (d < 0 || h < 0 || w < 0 || d >= extent[0] || h >= extent[1] || w >= extent[2]) {
        return false;
      }
      return voxels[static_cast<std::size_t>((d * extent[1] + h) * extent[2] + w)] != 0;
    };
    for (std::int64_t d = 0; d < extent[0]; ++d) {
      for (std::int64_t h = 0; h < extent[1]; ++h) {
        for (std::int64_t w = 0; w < extent[2]; ++w) {
          const bool inner = set(d - 1, h, w) && set(d + 1, h, w) && set(d, h - 1, w) &&
                             set(d, h + 1, w) && set(d, h, w - 1) && set(d, h, w + 1);
          ASSERT_EQ(is_set(surface, d, h, w), set(d, h, w) && !inner);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::evaluation

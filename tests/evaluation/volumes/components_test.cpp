#include "evaluation/volumes/components.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/evaluation/random_masks.h"

namespace lacuna::evaluation {
namespace {

std::size_t flat(const Extent& extent, std::int64_t d, std::int64_t h, std::int64_t w) {
  return static_cast<std::size_t>((d * extent[1] + h) * extent[2] + w);
}

// Component of each voxel by flooding over all 26 neighbours, in order of first voxels; -1 outside.
std::vector<int> flood(const Extent& extent, const std::vector<std::uint8_t>& voxels) {
  std::vector<int> label(voxels.size(), -1);
  int next = 0;
  for (std::size_t start = 0; start < voxels.size(); ++start) {
    if (voxels[start] == 0 || label[start] >= 0) continue;
    std::vector<std::size_t> open = {start};
    label[start] = next;
    while (!open.empty()) {
      const auto at = static_cast<std::int64_t>(open.back());
      open.pop_back();
      const std::int64_t d = at / (extent[1] * extent[2]), h = at / extent[2] % extent[1],
                         w = at % extent[2];
      for (std::int64_t i = 0; i < 27; ++i) {
        const std::int64_t dd = d + i / 9 - 1, hh = h + i / 3 % 3 - 1, ww = w + i % 3 - 1;
        if (dd < 0 || hh < 0 || ww < 0 || dd >= extent[0] || hh >= extent[1] || ww >= extent[2]) {
          continue;
        }
        const std::size_t other = flat(extent, dd, hh, ww);
        if (voxels[other] == 0 || label[other] >= 0) continue;
        label[other] = next;
        open.push_back(other);
      }
    }
    ++next;
  }
  return label;
}

// Word borders, single rows, borders of the volume; sparse and dense.
TEST(Components, EqualAFloodOverTwentySixNeighbours) {
  std::uint64_t seed = 3;
  for (const Extent extent : {Extent{5, 6, 7}, Extent{1, 1, 200}, Extent{4, 5, 130},
                              Extent{7, 1, 64}, Extent{3, 9, 65}}) {
    for (const double density : {0.03, 0.12, 0.4, 1.0}) {
      const auto voxels = random_voxels(extent, density, ++seed);
      const auto expected = flood(extent, voxels);
      const Extent corner{3, 1, 5};
      const Components components(mask_of(extent, voxels), corner);
      ASSERT_EQ(components.count(), *std::max_element(expected.begin(), expected.end()) + 1);
      std::vector<int> found(voxels.size(), -1);
      for (std::size_t i = 0; i < components.runs().size(); ++i) {
        const evaluation::Run& run = components.runs()[i];
        for (std::int64_t w = run.begin; w < run.end; ++w) {
          found[flat(extent, run.d - 3, run.h - 1, w - 5)] = components.component_of(i);
        }
      }
      EXPECT_EQ(found, expected) << density;
      for (int c = 0; c < components.count(); ++c) {
        EXPECT_EQ(components.voxels(c), std::count(expected.begin(), expected.end(), c));
      }
    }
  }
}

TEST(Components, AreSelectedAndDrawnBack) {
  const Extent extent{4, 5, 130};
  const auto voxels = random_voxels(extent, 0.06, 21);
  const Components components(mask_of(extent, voxels));
  ASSERT_GT(components.count(), 3);
  std::vector<int> all(static_cast<std::size_t>(components.count()));
  std::iota(all.begin(), all.end(), 0);
  Mask drawn(extent);
  const RunList list = components.select(all);
  draw(list, {0, 0, 0}, drawn);
  EXPECT_TRUE(std::ranges::equal(drawn.words(), mask_of(extent, voxels).words()));
  EXPECT_EQ(list.voxels, drawn.count());
  EXPECT_EQ(list.box, drawn.bounding_box());
  EXPECT_EQ(runs_of(drawn).runs.size(), list.runs.size());
}

TEST(Dilation, ReachesFacesAndEdgesButNoCorners) {
  for (const Extent extent : {Extent{4, 5, 66}, Extent{1, 3, 64}, Extent{3, 3, 129}}) {
    const auto voxels = random_voxels(extent, 0.02, 8);
    const Mask dilated = dilate_18(mask_of(extent, voxels));
    for (std::int64_t d = 0; d < extent[0]; ++d) {
      for (std::int64_t h = 0; h < extent[1]; ++h) {
        for (std::int64_t w = 0; w < extent[2]; ++w) {
          bool near = false;
          for (std::int64_t i = 0; i < 27; ++i) {
            const std::int64_t a = i / 9 - 1, b = i / 3 % 3 - 1, c = i % 3 - 1;
            if (a != 0 && b != 0 && c != 0) continue;
            const std::int64_t dd = d + a, hh = h + b, ww = w + c;
            near |= dd >= 0 && hh >= 0 && ww >= 0 && dd < extent[0] && hh < extent[1] &&
                    ww < extent[2] && voxels[flat(extent, dd, hh, ww)] != 0;
          }
          const auto word = dilated.row(d, h)[static_cast<std::size_t>(w / 64)];
          ASSERT_EQ((word >> (w % 64) & 1u) != 0, near);
        }
      }
    }
    EXPECT_EQ(dilated.count(), Components(dilated).count() == 0 ? 0 : runs_of(dilated).voxels);
  }
}

TEST(Overlap, IsCountedRunByRun) {
  const Extent extent{3, 4, 90};
  const auto a = random_voxels(extent, 0.5, 1), b = random_voxels(extent, 0.4, 2);
  std::int64_t expected = 0, found = 0;
  for (std::size_t i = 0; i < a.size(); ++i) expected += a[i] != 0 && b[i] != 0;
  for_each_overlap(runs_of(mask_of(extent, a)).runs, runs_of(mask_of(extent, b)).runs,
                   [&](auto, auto, std::int64_t voxels) { found += voxels; });
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace lacuna::evaluation

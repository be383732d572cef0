#include "data/augment/smooth_noise.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna::data {
namespace {

constexpr Extent kExtent{30, 40, 50};
constexpr FieldKey kKey{1, Purpose::kTest, 3, 0};

TEST(SmoothNoise, HasAboutUnitVarianceAndIsSmooth) {
  const SmoothNoise noise(kKey, kExtent, {4, 4, 4});
  double sum = 0, squares = 0, steps = 0;
  std::vector<float> row(50);
  for (std::int64_t d = 0; d < 30; ++d) {
    for (std::int64_t h = 0; h < 40; ++h) {
      noise.row(d, h, 0, row);
      for (std::size_t w = 0; w < row.size(); ++w) {
        sum += row[w];
        squares += row[w] * row[w];
        if (w > 0) steps = std::max<double>(steps, std::abs(row[w] - row[w - 1]));
      }
    }
  }
  // About 8 x 10 x 13 independent values: standard errors of 0.04 and 0.06 or so.
  EXPECT_NEAR(sum / 60'000, 0, 0.2);
  EXPECT_NEAR(squares / 60'000, 1, 0.3);
  EXPECT_LT(steps, 2) << "independent values would differ by up to 6 somewhere";
}

TEST(SmoothNoise, PartOfARowEqualsTheWholeRow) {
  const SmoothNoise noise(kKey, kExtent, {3, 5, 1});
  std::vector<float> whole(50), part(7);
  noise.row(29, 39, 0, whole);
  noise.row(29, 39, 43, part);
  EXPECT_EQ(part, std::vector<float>(whole.begin() + 43, whole.end()));
}

}  // namespace
}  // namespace lacuna::data

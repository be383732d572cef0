#include "data/augment/normal_field.h"

#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "data/augment/vector_math.h"

namespace lacuna::data {
namespace {

TEST(VectorMath, AgreesWithTheCLibrary) {
  for (float x = 1e-20f; x < 1e20f; x *= 1.37f) {
    EXPECT_NEAR(fast_log2(x), std::log2(x), 1e-6 * std::max(1.0f, std::abs(std::log2(x))));
    EXPECT_NEAR(fast_power(x, 0.7f) / std::pow(x, 0.7f), 1, 1e-5);
  }
  for (float x = -120; x < 120; x += 0.173f) {
    EXPECT_NEAR(fast_exp2(x) / std::exp2(x), 1, 1e-6);
  }
  EXPECT_EQ(fast_power(0, 1.3f), 0);
  for (float turns = 0; turns < 1; turns += 0.00123f) {
    float sine = 0, cosine = 0;
    sine_cosine(turns, sine, cosine);
    EXPECT_NEAR(sine, std::sin(2 * std::numbers::pi * turns), 2e-6);
    EXPECT_NEAR(cosine, std::cos(2 * std::numbers::pi * turns), 2e-6);
  }
}

// The definition in the header, in double precision from base/random.h.
TEST(NormalField, MatchesItsDefinition) {
  const FieldKey key{0x123456789abcdefu, Purpose::kAugment, 0xfedcba9876543210u, 33};
  std::vector<float> field(700, 0.0f);
  add_normal_field(key, 2.0f, field.data(), field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    const std::size_t group = i / 256, number = i % 256 / 64, lane = i % 64;
    const auto words =
        philox({static_cast<std::uint32_t>(64 * group + lane),
                static_cast<std::uint32_t>(key.purpose) | key.sub << 8,
                static_cast<std::uint32_t>(key.index), static_cast<std::uint32_t>(key.index >> 32)},
               {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
    const double u = ((words[number / 2 * 2] >> 8) + 1) * 0x1p-24;
    const double angle = 2 * std::numbers::pi * (words[number / 2 * 2 + 1] >> 8) * 0x1p-24;
    const double radius = std::sqrt(-2 * std::log(u));
    const double expected = 2 * radius * (number % 2 == 0 ? std::cos(angle) : std::sin(angle));
    EXPECT_NEAR(field[i], expected, 2e-5) << i;
  }
}

TEST(NormalField, IsNormal) {
  std::vector<float> field(200000, 0.0f);
  add_normal_field({1, Purpose::kTest, 0, 1}, 1.0f, field.data(), field.size());
  double moments[5] = {};
  for (const double value : field) {
    for (int k = 1; k <= 4; ++k) moments[k] += std::pow(value, k) / 200000.0;
  }
  const double root = std::sqrt(200000.0);  // 5 standard deviations of each sample moment
  EXPECT_NEAR(moments[1], 0, 5 / root);
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2) / root);
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15) / root);
  EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96) / root);
}

}  // namespace
}  // namespace lacuna::data

#include "base/random.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace lacuna {
namespace {

// Known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, MatchesPublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Stream, IsAFunctionOfSeedPurposeAndIndex) {
  EXPECT_EQ(Stream(1, Purpose::kCrop, 7).next(), Stream(1, Purpose::kCrop, 7).next());
  EXPECT_NE(Stream(1, Purpose::kCrop, 7).next(), Stream(2, Purpose::kCrop, 7).next());
  EXPECT_NE(Stream(1, Purpose::kCrop, 7).next(), Stream(1, Purpose::kAugment, 7).next());
  EXPECT_NE(Stream(1, Purpose::kCrop, 7).next(), Stream(1, Purpose::kCrop, 8).next());
  EXPECT_NE(Stream(1, Purpose::kCrop, 7, 0).next(), Stream(1, Purpose::kCrop, 7, 1).next());
}

// Runs in progress, caches and phantoms depend on these numbers: the counter's words are the block,
// purpose + 256 * sub, and the two halves of the index. From the published generator.
TEST(Stream, GivesTheNumbersThatRunsInProgressDependOn) {
  constexpr std::uint64_t kIndex = 123456789012;
  const auto first = [](Purpose purpose, std::uint32_t sub) {
    return Stream(20, purpose, kIndex, sub).next();
  };
  EXPECT_EQ(first(Purpose::kCrop, 0), 3008129698u);
  EXPECT_EQ(first(Purpose::kCrop, 1), 4145860201u);
  EXPECT_EQ(first(Purpose::kCrop, 33), 3402554166u);
  EXPECT_EQ(first(Purpose::kAugment, 0), 1069324789u);
  EXPECT_EQ(first(Purpose::kAugment, 1), 2250195917u);
  EXPECT_EQ(first(Purpose::kAugment, 33),
            philox({0, 4 + 256 * 33, kIndex & 0xffffffff, 28}, {20, 0})[0]);
}

TEST(Stream, BelowIsUniformAndNormalHasUnitVariance) {
  Stream stream(3, Purpose::kTest, 0);
  std::vector<int> counts(7);
  double sum = 0, squares = 0;
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[stream.below(7)];
    const double value = stream.normal();
    sum += value;
    squares += value * value;
  }
  // 5 standard deviations of a binomial count, and of the mean and variance of the normal draws.
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 5 * 93);
  EXPECT_NEAR(sum / kDraws, 0, 5 / 264.0);
  EXPECT_NEAR(squares / kDraws, 1, 5 * 1.42 / 264.0);
}

}  // namespace
}  // namespace lacuna

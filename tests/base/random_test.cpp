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

// Runs in progress and finished ones depend on these numbers, which are worked out apart from this
// program (philox with the words of the counter as in random.cpp): never change them.
TEST(Stream, TheNumbersOfEveryPurposeStayAsTheyAre) {
  const struct {
    Purpose purpose;
    std::uint32_t first, third_sub;
  } pinned[] = {{Purpose::kCaseOrder, 0x20e77170, 0x660e0f6d},
                {Purpose::kSubsetDraw, 0xab24e3c3, 0x8c122563},
                {Purpose::kCrop, 0x5f6027e2, 0xffe3c243},
                {Purpose::kAugment, 0xdd2ffbd0, 0x816361e2},
                {Purpose::kMethod, 0x6963e476, 0x740cfe43},
                {Purpose::kMetaOrder, 0x3e5125af, 0xd751ac92},
                {Purpose::kPhantom, 0xccf1feea, 0x9cd369b7},
                {Purpose::kSplit, 0xeddf7bb6, 0xcecd0bf9},
                {Purpose::kInitialise, 0x48b1130d, 0x5c699143},
                {Purpose::kTest, 0xecdf4aae, 0x38290883}};
  for (const auto& [purpose, first, third_sub] : pinned) {
    EXPECT_EQ(Stream(1, purpose, 7).next(), first) << static_cast<int>(purpose);
    EXPECT_EQ(Stream(1, purpose, 7, 3).next(), third_sub) << static_cast<int>(purpose);
  }
  // High words of seed and index, and the second block.
  Stream wide(0x123456789abcdef0, Purpose::kCrop, std::uint64_t{1} << 63 | 5, 258);
  for (const std::uint32_t value :
       {0xd4b5c98du, 0xc15b38c1u, 0x3d23b246u, 0xb9584610u, 0x3d2130efu}) {
    EXPECT_EQ(wide.next(), value);
  }
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

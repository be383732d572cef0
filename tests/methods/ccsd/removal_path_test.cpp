#include "methods/ccsd/removal_path.h"

#include <map>

#include <gtest/gtest.h>
#include <torch/types.h>

namespace lacuna::methods::ccsd {
namespace {

using data::SubsetMask;
using Path = std::vector<SubsetMask>;

// FLAIR 1, T1 2, T1c 4, T2 8. c01, c02, c03, c12, c13, c23.
at::Tensor similarity(std::array<double, 6> c) {
  at::Tensor matrix = torch::eye(4, at::kDouble);
  const int pairs[6][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
  for (std::size_t i = 0; i < 6; ++i) {
    matrix[pairs[i][0]][pairs[i][1]] = matrix[pairs[i][1]][pairs[i][0]] = c[i];
  }
  return matrix;
}

Path path(const at::Tensor& matrix, RemovalOrder order = RemovalOrder::kMostCritical,
          bool dynamic = false, SubsetMask start = 0b1111, std::uint64_t key = 1) {
  return removal_path(matrix, start, order, dynamic, Stream(1, Purpose::kTest, key));
}

// s = (-1.9, -1.8, -0.6, -1.5): T1c goes first, then T2, then T1.
TEST(RemovalPath, DropsTheMostCriticalFirst) {
  const at::Tensor matrix = similarity({0.9, 0.2, 0.8, 0.3, 0.6, 0.1});
  EXPECT_EQ(path(matrix), (Path{0b1111, 0b1011, 0b0011, 0b0001}));
  EXPECT_EQ(path(matrix, RemovalOrder::kLeastCritical), (Path{0b1111, 0b1110, 0b1100, 0b0100}));
}

// s = (-1.5, -1.1, -1.0, -1.4) once; anew after T1c: (-1.4, -1.0, -, -0.6), so T2 goes, then a tie.
TEST(RemovalPath, ScoresAreThoseOfTheStartUnlessDynamic) {
  const at::Tensor matrix = similarity({0.9, 0.1, 0.5, 0.1, 0.1, 0.8});
  EXPECT_EQ(path(matrix), (Path{0b1111, 0b1011, 0b1001, 0b0001}));
  const Path dynamic = path(matrix, RemovalOrder::kMostCritical, true);
  EXPECT_EQ(dynamic, (Path{0b1111, 0b1011, 0b0011, 0b0010}));  // of equals FLAIR goes first
}

TEST(RemovalPath, AmongEqualsTheLowestIndexGoesFirst) {
  EXPECT_EQ(path(torch::ones({4, 4}, at::kDouble)), (Path{0b1111, 0b1110, 0b1100, 0b1000}));
}

TEST(RemovalPath, StartsWhereItIsTold) {
  const at::Tensor matrix = similarity({0.9, 0.2, 0.8, 0.3, 0.6, 0.1});
  // FLAIR, T1c, T2: s = (-1.0, -0.3, -0.9).
  EXPECT_EQ(path(matrix, RemovalOrder::kMostCritical, false, 0b1101),
            (Path{0b1101, 0b1001, 0b0001}));
  EXPECT_EQ(path(matrix, RemovalOrder::kMostCritical, false, 0b0100), (Path{0b0100}));
}

TEST(RemovalPath, ARandomOrderIsUniformAndRepeatable) {
  const at::Tensor matrix = similarity({0.9, 0.2, 0.8, 0.3, 0.6, 0.1});
  std::map<Path, int> seen;
  for (std::uint64_t key = 0; key < 2400; ++key) {
    const Path one = path(matrix, RemovalOrder::kRandom, false, 0b1111, key);
    ++seen[one];
    ASSERT_EQ(one, path(matrix, RemovalOrder::kRandom, false, 0b1111, key));
  }
  EXPECT_EQ(seen.size(), 24u);
  for (const auto& [one, times] : seen) EXPECT_NEAR(times, 100, 45);
}

TEST(Similarities, AreCosinesOfEachSampleWhateverTheLength) {
  torch::manual_seed(4);
  const at::Tensor features = torch::randn({2, 4, 3, 2, 2, 2});
  const at::Tensor c = similarities(features);
  ASSERT_EQ(c.sizes(), (std::vector<std::int64_t>{2, 4, 4}));
  for (int n = 0; n < 2; ++n) {
    const at::Tensor a = features[n][1].flatten().to(at::kDouble);
    const at::Tensor b = features[n][3].flatten().to(at::kDouble);
    EXPECT_NEAR(c[n][1][3].item<double>(), (a.dot(b) / (a.norm() * b.norm())).item<double>(),
                1e-12);
    EXPECT_NEAR(c[n][2][2].item<double>(), 1, 1e-12);
  }
  at::Tensor longer = features.clone();
  longer.select(1, 2).mul_(37);
  EXPECT_EQ(path(similarities(longer)[0]), path(c[0]));
  EXPECT_EQ(similarities(torch::zeros({1, 4, 3, 1, 1, 1})).abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace lacuna::methods::ccsd

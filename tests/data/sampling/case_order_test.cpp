#include "data/sampling/case_order.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

std::vector<int> epoch(CaseOrder& order, int cases, std::uint64_t number) {
  std::vector<int> visited;
  for (int i = 0; i < cases; ++i) {
    visited.push_back(
        order.at(number * static_cast<std::uint64_t>(cases) + static_cast<std::uint64_t>(i)));
  }
  return visited;
}

TEST(CaseOrder, VisitsEachCaseOncePerEpochInAFreshOrder) {
  CaseOrder order(20, 1, Purpose::kCaseOrder);
  std::set<std::vector<int>> orders;
  for (std::uint64_t number = 0; number < 10; ++number) {
    const std::vector<int> visited = epoch(order, 20, number);
    EXPECT_EQ(std::set<int>(visited.begin(), visited.end()).size(), 20u);
    orders.insert(visited);
  }
  EXPECT_EQ(orders.size(), 10u);
}

TEST(CaseOrder, AnyPositionCanBeAskedForDirectly) {
  CaseOrder straight(7, 3, Purpose::kCaseOrder), jumping(7, 3, Purpose::kCaseOrder);
  std::vector<int> visited;
  for (std::uint64_t i = 0; i < 30; ++i) visited.push_back(straight.at(i));
  for (const std::uint64_t i : {29u, 0u, 15u, 3u, 22u}) EXPECT_EQ(jumping.at(i), visited[i]);
}

TEST(CaseOrder, DependsOnSeedAndPurpose) {
  CaseOrder a(50, 1, Purpose::kCaseOrder), b(50, 2, Purpose::kCaseOrder),
      c(50, 1, Purpose::kMetaOrder);
  EXPECT_NE(epoch(a, 50, 0), epoch(b, 50, 0));
  EXPECT_NE(epoch(a, 50, 0), epoch(c, 50, 0));
}

TEST(CaseOrder, AlternativesAreTheOtherCasesOfTheEpoch) {
  CaseOrder order(5, 1, Purpose::kCaseOrder);
  const std::vector<int> first = epoch(order, 5, 0);
  EXPECT_EQ(order.alternative(3, 1), first[4]);
  EXPECT_EQ(order.alternative(3, 2), first[0]);  // round the end of the same epoch
}

TEST(CaseOrder, RefusesAnEmptyList) {
  EXPECT_THROW(CaseOrder(0, 1, Purpose::kCaseOrder), ConfigError);
}

}  // namespace
}  // namespace lacuna::data

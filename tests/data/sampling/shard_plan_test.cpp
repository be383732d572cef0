#include "data/sampling/shard_plan.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Cohort cohort_of(const std::vector<std::pair<std::string, std::uint64_t>>& cases) {
  Cohort cohort;
  for (const auto& [institution, bytes] : cases) {
    CaseInfo info;
    info.id = "case" + std::to_string(cohort.cases.size());
    info.institution = institution;
    info.bytes = bytes;
    cohort.cases.push_back(info);
  }
  return cohort;
}

std::vector<int> all_cases(const Cohort& cohort) {
  std::vector<int> cases(cohort.cases.size());
  std::iota(cases.begin(), cases.end(), 0);
  return cases;
}

std::uint64_t fullest(const std::vector<std::uint64_t>& bytes, const std::vector<int>& owner,
                      int ranks) {
  std::vector<std::uint64_t> load(static_cast<std::size_t>(ranks), 0);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    load[static_cast<std::size_t>(owner[i])] += bytes[i];
  return *std::max_element(load.begin(), load.end());
}

// Every division tried: ranks^items of them.
std::uint64_t best_possible(const std::vector<std::uint64_t>& bytes, int ranks) {
  std::vector<int> owner(bytes.size(), 0);
  std::uint64_t best = UINT64_MAX;
  for (;;) {
    best = std::min(best, fullest(bytes, owner, ranks));
    std::size_t digit = 0;
    while (digit < owner.size() && ++owner[digit] == ranks) owner[digit++] = 0;
    if (digit == owner.size()) return best;
  }
}

TEST(ShardPlan, IsWithinItsBoundOfTheBestDivision) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 60; ++trial) {
    const int ranks = 2 + trial % 2;
    std::vector<std::uint64_t> bytes(3 + static_cast<std::size_t>(trial) % 6);
    for (auto& each : bytes) each = std::uniform_int_distribution<std::uint64_t>(1, 50)(random);
    const double bound = 4.0 / 3 - 1 / (3.0 * ranks);
    const auto mine = static_cast<double>(fullest(bytes, balance(bytes, ranks), ranks));
    EXPECT_LE(mine, bound * static_cast<double>(best_possible(bytes, ranks)) + 1e-9) << trial;
  }
}

TEST(ShardPlan, LargestFirstToTheRankThatHasLeast) {
  // 7 -> 0, 5 -> 1, 4 -> 1 (9), 3 -> 0 (10), 1 -> 1 (10).
  EXPECT_THAT(balance({3, 7, 1, 5, 4}, 2), ElementsAre(0, 0, 1, 1, 1));
}

TEST(ShardPlan, LocalGivesEveryCaseToOneRank) {
  const Cohort cohort = cohort_of({{"a", 10}, {"b", 20}, {"a", 30}, {"b", 15}, {"c", 5}});
  const ShardPlan plan = plan_local(cohort, {0, 1, 2, 4}, 2, false);
  ASSERT_EQ(plan.shards.size(), 2u);
  // 30 -> 0, 20 -> 1, 10 -> 1, 5 -> 0, the lower of two with 30.
  EXPECT_THAT(plan.shards[0].cases, ElementsAre(2, 4));
  EXPECT_THAT(plan.shards[1].cases, ElementsAre(0, 1));
  EXPECT_EQ(plan.shards[0].bytes, 35u);
  EXPECT_EQ(plan.shards[1].bytes, 30u);
}

TEST(ShardPlan, ByInstitutionNoneIsDivided) {
  const Cohort cohort = cohort_of({{"a", 10}, {"b", 20}, {"a", 30}, {"b", 15}, {"c", 5}});
  const ShardPlan plan = plan_local(cohort, all_cases(cohort), 2, true);
  EXPECT_THAT(plan.shards[0].cases, ElementsAre(0, 2));     // a: 40
  EXPECT_THAT(plan.shards[1].cases, ElementsAre(1, 3, 4));  // b: 35, c: 5
}

TEST(ShardPlan, GlobalGivesEveryRankAllCases) {
  const Cohort cohort = cohort_of({{"a", 10}, {"b", 20}});
  const ShardPlan plan = plan_global(cohort, {0, 1}, 3);
  ASSERT_EQ(plan.shards.size(), 3u);
  for (const auto& shard : plan.shards) EXPECT_THAT(shard.cases, ElementsAre(0, 1));
}

TEST(ShardPlan, MoreRanksThanCasesAreRefused) {
  const Cohort cohort = cohort_of({{"a", 1}, {"a", 1}});
  EXPECT_THROW(plan_local(cohort, {0, 1}, 3, false), ConfigError);
  EXPECT_THROW(plan_local(cohort, {0, 1}, 2, true), ConfigError);
}

TEST(ShardPlan, ComesBackFromJsonAndSaysWhatItIs) {
  const Cohort cohort = cohort_of({{"a", 2'000'000}, {"b", 3'000'000}, {"c", 1'500'000}});
  const ShardPlan plan = plan_local(cohort, {0, 1, 2}, 2, false);
  const ShardPlan again = shard_plan_from_json(to_json(plan, cohort), cohort);
  ASSERT_EQ(again.shards.size(), 2u);
  EXPECT_TRUE(again.local);
  for (std::size_t r = 0; r < 2; ++r) {
    EXPECT_EQ(again.shards[r].cases, plan.shards[r].cases);
    EXPECT_EQ(again.shards[r].bytes, plan.shards[r].bytes);
  }
  EXPECT_EQ(summary(plan),
            "shard plan: local, 2 ranks; rank 0: 1 cases, 3.0 MB, rank 1: 2 cases, 3.5 MB");
  EXPECT_THROW(shard_plan_from_json(to_json(plan, cohort), cohort_of({{"a", 1}})), ConfigError);
}

}  // namespace
}  // namespace lacuna::data

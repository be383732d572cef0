#include "data/sampling/subset_policy.h"

#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

const ModalitySet kBrats({"FLAIR", "T1", "T1c", "T2"});
constexpr SubsetMask kFull = 0b1111;

std::unique_ptr<SubsetPolicy> make(const char* section) {
  return make_subset_policy(Json::parse(section), kBrats);
}

std::string message_for(const char* section) {
  try {
    make(section);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::map<SubsetMask, double> frequencies(const SubsetPolicy& policy, SubsetMask available,
                                         std::int64_t step = 0, std::int64_t steps = 1) {
  constexpr int kDraws = 100000;
  std::map<SubsetMask, double> shares;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    shares[policy.draw({5, i, step, steps}, available, 1)[0]] += 1.0 / kDraws;
  }
  return shares;
}

// ShaSpec: 100,000 draws, +-0.005.
TEST(SubsetPolicy, CardinalityHasThePublishedFrequencies) {
  for (const char* granularity : {"sample", "batch"}) {
    const auto policy =
        make_subset_policy({{"policy", "cardinality"}, {"granularity", granularity}}, kBrats);
    const auto shares = frequencies(*policy, kFull);
    const double expected[] = {0, 1.0 / 16, 1.0 / 24, 1.0 / 16, 1.0 / 4};
    std::vector<double> present(4);
    EXPECT_EQ(shares.size(), 15u);
    for (const auto& [subset, share] : shares) {
      EXPECT_NEAR(share, expected[count(subset)], 0.005);
      for (int m = 0; m < 4; ++m)
        present[static_cast<std::size_t>(m)] += contains(subset, m) * share;
    }
    for (const double share : present) EXPECT_NEAR(share, 0.625, 0.005);
  }
}

TEST(SubsetPolicy, UniformDrawsEachOfTheFifteenAlike) {
  const auto shares = frequencies(*make(R"({"policy": "uniform"})"), kFull);
  EXPECT_EQ(shares.size(), 15u);
  for (const auto& [subset, share] : shares) EXPECT_NEAR(share, 1.0 / 15, 0.005);
}

// Given that something is kept: P(S) = p^|S| (1-p)^(4-|S|) / (1 - (1-p)^4).
TEST(SubsetPolicy, BernoulliIsConditionedOnKeepingSomething) {
  const auto shares = frequencies(*make(R"({"policy": "bernoulli", "p": 0.3})"), kFull);
  const double nothing = 0.7 * 0.7 * 0.7 * 0.7;
  EXPECT_NEAR(shares.at(kFull), 0.3 * 0.3 * 0.3 * 0.3 / (1 - nothing), 0.005);
  EXPECT_NEAR(shares.at(0b0001), 0.3 * 0.7 * 0.7 * 0.7 / (1 - nothing), 0.005);
  EXPECT_EQ(shares.count(0), 0u);
}

// A fair coin each; the sixteenth outcome, none, goes to the four single ones alike.
TEST(SubsetPolicy, CoinsGiveASingleModalityWhatWouldKeepNone) {
  for (const char* granularity : {"sample", "batch"}) {
    const auto policy =
        make_subset_policy({{"policy", "coins"}, {"granularity", granularity}}, kBrats);
    const auto shares = frequencies(*policy, kFull);
    EXPECT_EQ(shares.size(), 15u);
    for (const auto& [subset, share] : shares) {
      EXPECT_NEAR(share, count(subset) == 1 ? 5.0 / 64 : 4.0 / 64, 0.003) << subset;
    }
  }
  // Of three modalities: 1/8 each, and a third of an eighth more for the single ones.
  const auto three = frequencies(*make(R"({"policy": "coins", "granularity": "sample"})"), 0b1011);
  EXPECT_EQ(three.size(), 7u);
  for (const auto& [subset, share] : three) {
    EXPECT_NEAR(share, count(subset) == 1 ? 1.0 / 6 : 1.0 / 8, 0.004) << subset;
  }
}

// Sizes 1 to 3 alike, then a subset of that size: 1/12, 1/18, 1/12, and never all four.
TEST(SubsetPolicy, CardinalityKeepsToTheLargestSize) {
  const auto policy = make(R"({"policy": "cardinality", "max_size": 3, "granularity": "sample"})");
  const auto shares = frequencies(*policy, kFull);
  const double expected[] = {0, 1.0 / 12, 1.0 / 18, 1.0 / 12};
  EXPECT_EQ(shares.size(), 14u);
  for (const auto& [subset, share] : shares) {
    ASSERT_LE(count(subset), 3);
    EXPECT_NEAR(share, expected[count(subset)], 0.004) << subset;
  }
  const auto two = frequencies(*policy, 0b0110);  // a case with fewer than that
  EXPECT_EQ(two.size(), 3u);
  EXPECT_NEAR(two.at(0b0110), 0.5, 0.01);
  const auto single = make(R"({"policy": "schedule", "schedule": [
      {"until_step": 5, "policy": "cardinality", "max_size": 1}, {"policy": "cardinality"}]})");
  EXPECT_EQ(frequencies(*single, kFull, 4, 9).size(), 4u);
  EXPECT_EQ(frequencies(*single, kFull, 5, 9).size(), 15u);
}

TEST(SubsetPolicy, CurriculumGoesFromFullToCardinality) {
  const auto policy = make(R"({"policy": "curriculum"})");
  EXPECT_EQ(frequencies(*policy, kFull, 24, 100).size(), 1u);  // first quarter: full only
  const auto second = frequencies(*policy, kFull, 25, 100);    // then at most one dropped
  EXPECT_EQ(second.size(), 5u);
  EXPECT_NEAR(second.at(kFull), 0.5, 0.01);
  EXPECT_NEAR(second.at(0b0111), 0.125, 0.01);
  const auto last = frequencies(*policy, kFull, 75, 100);
  EXPECT_NEAR(last.at(kFull), 0.25, 0.01);
  EXPECT_NEAR(last.at(0b0001), 1.0 / 16, 0.01);
}

TEST(SubsetPolicy, DistinctDrawsDifferAndCoverAllOrderedPairsAlike) {
  const auto policy = make(R"({"policy": "distinct", "granularity": "sample"})");
  std::map<std::pair<SubsetMask, SubsetMask>, int> pairs;
  constexpr int kDraws = 42000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const auto drawn = policy->draw({1, i, 0, 1}, kFull, 2);
    ++pairs[{drawn[0], drawn[1]}];
  }
  EXPECT_EQ(pairs.size(), 210u);  // 15 * 14
  for (const auto& [pair, times] : pairs) {
    EXPECT_NE(pair.first, pair.second);
    EXPECT_NEAR(times, kDraws / 210, 5 * 14.2);  // 5 standard deviations
  }
  // A case with one modality has one subset only.
  EXPECT_EQ(policy->draw({1, 0, 0, 1}, 0b0100, 2), (std::vector<SubsetMask>{0b0100, 0b0100}));
}

TEST(SubsetPolicy, ScheduleChangesAtItsSteps) {
  const auto policy = make(R"({"policy": "schedule", "schedule": [
      {"until_step": 10, "policy": "full"}, {"policy": "fixed", "subset": "T1c"}]})");
  EXPECT_EQ(policy->draw({1, 0, 9, 100}, kFull, 1)[0], kFull);
  EXPECT_EQ(policy->draw({1, 0, 10, 100}, kFull, 1)[0], 0b0100u);
}

TEST(SubsetPolicy, NeverGivesWhatTheCaseLacks) {
  for (const char* granularity : {"sample", "batch"}) {
    for (const char* name : {"full", "uniform", "bernoulli", "coins", "cardinality", "curriculum",
                             "fixed", "natural", "distinct"}) {
      const auto policy = make_subset_policy(
          {{"policy", name}, {"granularity", granularity}, {"subset", "T1"}}, kBrats);
      for (SubsetMask available = 1; available <= kFull; ++available) {
        for (std::uint64_t i = 0; i < 50; ++i) {
          for (const SubsetMask subset : policy->draw({3, i, 50, 60}, available, 2)) {
            EXPECT_NE(subset, 0u) << name;
            EXPECT_EQ(subset & ~available, 0u) << name;
          }
        }
      }
    }
  }
}

TEST(SubsetPolicy, FixedFallsBackToEverythingTheCaseHas) {
  const auto policy = make(R"({"policy": "fixed", "subset": "FLAIR+T1"})");
  EXPECT_EQ(policy->draw({1, 0, 0, 1}, 0b0111, 1)[0], 0b0011u);
  EXPECT_EQ(policy->draw({1, 0, 0, 1}, 0b0110, 1)[0], 0b0010u);
  EXPECT_EQ(policy->draw({1, 0, 0, 1}, 0b1100, 1)[0], 0b1100u);
}

TEST(SubsetPolicy, BatchGranularityGivesAnIncompleteCaseItsPartOfTheSharedDraw) {
  const auto policy = make(R"({"policy": "uniform", "granularity": "batch"})");
  for (std::uint64_t batch = 0; batch < 200; ++batch) {
    const SubsetMask shared = policy->draw({1, batch, 0, 1}, kFull, 1)[0];
    const SubsetMask kept = policy->draw({1, batch, 0, 1}, 0b0011, 1)[0];
    if ((shared & 0b0011) != 0) {
      EXPECT_EQ(kept, shared & 0b0011);
    }
  }
}

TEST(SubsetPolicy, DrawsAreAFunctionOfSeedAndIndex) {
  const auto policy = make(R"({"policy": "uniform"})");
  const auto other = make(R"({"policy": "uniform"})");
  std::set<SubsetMask> by_index, by_seed;
  for (std::uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(policy->draw({1, i, 0, 1}, kFull, 3), other->draw({1, i, 7, 9}, kFull, 3));
    by_index.insert(policy->draw({1, i, 0, 1}, kFull, 1)[0]);
    by_seed.insert(policy->draw({i, 0, 0, 1}, kFull, 1)[0]);
  }
  EXPECT_GT(by_index.size(), 5u);
  EXPECT_GT(by_seed.size(), 5u);
}

TEST(SubsetPolicy, RefusesBadSectionsWithAdvice) {
  EXPECT_THAT(message_for(R"({"polcy": "full"})"), HasSubstr("Did you mean policy?"));
  EXPECT_THAT(message_for(R"({"policy": "unifrom"})"), HasSubstr("Did you mean \"uniform\"?"));
  EXPECT_THAT(message_for(R"({"policy": "bernoulli", "p": 0})"), HasSubstr("0.01 to 1"));
  EXPECT_THAT(message_for("{}"), HasSubstr("policy is missing"));
  EXPECT_THAT(message_for(R"({"policy": "cardinality", "max_size": 0})"), HasSubstr("max_size"));
  EXPECT_THAT(message_for(R"({"policy": "cardinality", "max_size": 5})"),
              HasSubstr("max_size is 5, the cohort has 4 modalities: FLAIR+T1+T1c+T2"));
  EXPECT_THAT(message_for(R"({"policy": "coins", "max_size": 2})"),
              HasSubstr("only policy cardinality knows; policy is \"coins\""));
  EXPECT_THAT(message_for(R"({"policy": "fixed"})"), HasSubstr("needs `subset`"));
  EXPECT_THAT(message_for(R"({"policy": "fixed", "subset": "T3"})"), HasSubstr("unknown modality"));
  EXPECT_THAT(message_for(R"({"policy": "schedule"})"), HasSubstr("until_step"));
  EXPECT_THAT(message_for(R"({"policy": "schedule", "schedule": [{"policy": "full"},
      {"policy": "uniform"}]})"),
              HasSubstr("subsets.schedule[0]: every entry but the last needs until_step"));
  EXPECT_THAT(message_for(R"({"policy": "schedule", "schedule": [
      {"until_step": 5, "policy": "full"}, {"until_step": 5, "policy": "full"},
      {"policy": "uniform"}]})"),
              HasSubstr("must be more than 5"));
}

}  // namespace
}  // namespace lacuna::data

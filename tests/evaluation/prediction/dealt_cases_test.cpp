#include "evaluation/prediction/dealt_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/data/toy_cohort.h"

namespace lacuna::evaluation {
namespace {

using ::testing::ElementsAre;

data::Cohort cohort_of(const std::vector<std::int64_t>& slices) {
  data::Cohort cohort;
  for (const std::int64_t depth : slices) {
    data::CaseInfo info;
    info.id = "case" + std::to_string(cohort.cases.size());
    info.full_extent = {depth, 10, 10};
    info.available = 0b1111;
    cohort.cases.push_back(info);
  }
  return cohort;
}

TEST(DealCases, GivesTheLongestFirstAndToTheRankWithTheLeastWork) {
  const data::Cohort cohort = cohort_of({10, 70, 20, 60, 30, 40});
  const std::vector<int> all{0, 1, 2, 3, 4, 5};
  const std::vector<data::SubsetMask> subsets{0b1111, 0b0001};
  EXPECT_THAT(deal_cases(cohort, all, subsets, 2, 0), ElementsAre(1, 4, 2));  // 70, 30, 20
  EXPECT_THAT(deal_cases(cohort, all, subsets, 2, 1), ElementsAre(3, 5, 0));  // 60, 40, 10
}

TEST(DealCases, EachCaseIsInOnePartWhateverTheNumberOfRanks) {
  data::Cohort cohort = cohort_of({5, 5, 5, 9, 9, 1, 3, 5});
  const std::vector<int> part{7, 0, 3, 4, 2, 6};
  for (const int ranks : {1, 2, 3, 5, 9}) {
    std::multiset<int> dealt;
    for (int rank = 0; rank < ranks; ++rank) {
      for (const int index : deal_cases(cohort, part, {0b1111}, ranks, rank)) dealt.insert(index);
    }
    EXPECT_EQ(dealt, std::multiset<int>(part.begin(), part.end())) << ranks;
  }
}

// A case that lacks modalities is scored under fewer subsets.
TEST(DealCases, CountsTheSubsetsThatCanBeScored) {
  data::Cohort cohort = cohort_of({10, 12});
  cohort.cases[1].available = 0b0001;
  EXPECT_THAT(deal_cases(cohort, {0, 1}, {0b1111, 0b0011, 0b0001}, 1, 0), ElementsAre(0, 1));
  EXPECT_THAT(deal_cases(cohort, {0, 1}, {0b0001}, 1, 0), ElementsAre(1, 0));
}

CaseScore found_score(const std::string& id, data::SubsetMask subset, double dice) {
  CaseScore made{id, "site, \"A\"", subset, std::vector<RegionScore>(3, RegionScore{dice})};
  made.regions[1] = {std::nan(""), std::numeric_limits<double>::infinity(), 7, 1234567890123};
  made.regions[2].values = {dice / 3, std::nan("")};
  made.processed.push_back({dice / 7, 2.5, 1, 2, {0.125}});
  made.checksum = "00c0ffee";
  return made;
}

TEST(Findings, OfAllRanksAreThoseOfOne) {
  const data::ToyCohort toy(3);
  const data::Extent extent = toy.cohort().cases[0].full_extent;
  const auto keep = [&](OverlayWriter& writer, int index) {
    for (const data::SubsetMask subset : {0b1111u, 0b0001u}) {
      writer.keep(index, subset,
                  std::vector<std::uint8_t>(
                      static_cast<std::size_t>(extent[0] * extent[1] * extent[2]),
                      static_cast<std::uint8_t>(10 * index + static_cast<int>(subset))));
    }
  };
  Findings alone, first, second, together;
  OverlayWriter by_one(toy.cohort()), by_first(toy.cohort()), by_second(toy.cohort());
  for (const int index : {0, 2}) {
    const std::string id = "toy" + std::to_string(index);
    for (const data::SubsetMask subset : {0b0001u, 0b1111u}) {
      alone.scores.push_back(found_score(id, subset, 0.1 + 0.3 * index + 0.01 * subset));
      (index == 0 ? second : first).scores.push_back(alone.scores.back());
    }
    keep(by_one, index);
    keep(index == 0 ? by_second : by_first, index);
  }
  alone.unread = {{"toy1", "damaged"}};
  second.unread = alone.unread;

  OverlayWriter by_all(toy.cohort());
  unpack(pack(first, by_first), together, by_all);
  unpack(pack(second, by_second), together, by_all);
  sort_findings(together, toy.cohort(), {0, 1, 2});
  // Equal to the last bit, also what is no number.
  const OverlayWriter none(toy.cohort());
  EXPECT_EQ(pack(together, none), pack(alone, none));
  EXPECT_EQ(pack({}, by_all), pack({}, by_one));
  const TemporaryDirectory directory;
  by_all.write(posix_file_system(), directory / "all", together.scores);
  by_one.write(posix_file_system(), directory / "one", alone.scores);
  for (const char* name : {"best.safetensors", "worst.safetensors"}) {
    EXPECT_EQ(posix_file_system().read(directory / "all" / name),
              posix_file_system().read(directory / "one" / name));
  }
}

TEST(Findings, ThatAreCutOffAreRefused) {
  const data::ToyCohort toy(1);
  Findings findings;
  findings.scores.push_back(found_score("toy0", 1, 0.5));
  OverlayWriter overlays(toy.cohort());
  const std::string bytes = pack(findings, overlays);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Findings into;
    EXPECT_THROW(unpack(bytes.substr(0, size), into, overlays), DataError) << size;
  }
}

}  // namespace
}  // namespace lacuna::evaluation

#include "monitoring/report/families.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::monitoring {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

struct Member {
  std::string subset;  // "" for a run that serves all
  double dice = 0.5;
  int seed = 1;
  std::string cohort = "abc", hd95 = "directed", method = "nova";
};

Path write_member(const Path& directory, const Member& member) {
  std::filesystem::create_directories(directory / "eval/fold0-test");
  const Json subset = member.subset.empty() ? Json() : Json(member.subset);
  std::ofstream(directory / "run.json")
      << Json{{"method", member.method},
              {"train", {{"seed", member.seed}, {"steps", 10}}},
              {"log", {{"every", member.dice}}},  // decides nothing
              {"method_options", {{"alpha", 0.1}, {"subset", subset}}}};
  std::ofstream(directory / "eval/fold0-test/cases.csv")
      << "case,institution,subset,region,dice,hd95_mm\n"
      << fmt::format("a,,{0},ET,{1},2\nb,,{0},ET,{1},4\n",
                     member.subset.empty() ? "FLAIR" : member.subset, member.dice);
  std::ofstream(directory / "eval/fold0-test/summary.json")
      << Json{{"modalities", {"FLAIR", "T1"}},
              {"cohort", member.cohort},
              {"part", "test"},
              {"run", "hash of " + member.subset},
              {"hd95_definition", member.hd95},
              {"empty_rule", "none"}};
  return directory;
}

std::vector<RunRecord> written(const TemporaryDirectory& folder,
                               const std::vector<Member>& members) {
  std::vector<Path> paths;
  for (std::size_t i = 0; i < members.size(); ++i) {
    paths.push_back(write_member(folder / fmt::format("run{}", i), members[i]));
  }
  return read_runs(paths);
}

std::string refusal(const std::vector<Member>& members) {
  const TemporaryDirectory folder;
  try {
    join_evaluations(written(folder, members), "");
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Families, AreOneRowOfAllTheirSubsets) {
  const TemporaryDirectory folder;
  const auto joined = join_families(written(
      folder,
      {{"", 0.4, 1, "abc", "directed", "unet"}, {"T1", 0.25}, {"FLAIR", 0.5}, {"FLAIR+T1", 0.75}}));
  ASSERT_EQ(joined.size(), 2u);
  EXPECT_EQ(joined[0].method, "unet");
  const RunRecord& family = joined[1];
  EXPECT_EQ(family.label, "nova");
  ASSERT_EQ(family.evaluations.size(), 1u);
  const EvaluationRecord& record = family.evaluations[0];
  EXPECT_EQ(record.scores.size(), 6u);
  EXPECT_DOUBLE_EQ(record.mean(Metric::kDice, 0b10, 0), 0.25);
  EXPECT_DOUBLE_EQ(record.mean(Metric::kDice), 0.5);
  EXPECT_DOUBLE_EQ(record.mean_of_size(Metric::kDice, 1), 0.375);
  EXPECT_FALSE(record.about.contains("run"));
  EXPECT_EQ(record.about["runs"].size(), 3u);
  EXPECT_THAT(family.notes, Contains(HasSubstr("3 runs, one per subset: T1, FLAIR, FLAIR+T1")));
}

TEST(Families, OfTwoSeedsStayTwo) {
  const TemporaryDirectory folder;
  const auto joined = join_families(
      written(folder, {{"T1", 0.2, 1}, {"T1", 0.3, 2}, {"FLAIR", 0.4, 1}, {"FLAIR", 0.5, 2}}));
  ASSERT_EQ(joined.size(), 2u);
  EXPECT_DOUBLE_EQ(joined[0].evaluations[0].mean(Metric::kDice), 0.3);
  EXPECT_DOUBLE_EQ(joined[1].evaluations[0].mean(Metric::kDice), 0.4);
  EXPECT_NE(joined[0].label, joined[1].label);
}

TEST(Families, WithTwoRunsForOneSubsetStayApartAndSayWhy) {
  const TemporaryDirectory folder;
  const auto runs = join_families(written(folder, {{"T1", 0.2}, {"T1", 0.3}}));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(runs[0].notes, Contains(HasSubstr("both serve T1")));
}

TEST(Families, ALoneMemberStaysAsItIs) {
  const TemporaryDirectory folder;
  const auto runs = join_families(written(folder, {{"T1", 0.2}, {"", 0.3}}));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].evaluations[0].about["run"], "hash of T1");
}

TEST(Families, RefuseWhatIsNoFamily) {
  EXPECT_THAT(refusal({{"T1", 0.2, 1}, {"FLAIR", 0.2, 2}}), HasSubstr("train.seed is 1 in"));
  EXPECT_THAT(refusal({{"T1"}, {"FLAIR", 0.5, 1, "abc", "directed", "other"}}),
              HasSubstr("method is \"nova\""));
  EXPECT_THAT(refusal({{"T1"}, {"T1"}}), HasSubstr("both serve T1"));
  EXPECT_THAT(refusal({{"T1"}, {""}}), HasSubstr("serves all subsets"));
  EXPECT_THAT(refusal({{"T1"}, {"FLAIR", 0.5, 1, "other"}}), HasSubstr("cohort"));
  EXPECT_THAT(refusal({{"T1"}, {"FLAIR", 0.5, 1, "abc", "pooled"}}),
              HasSubstr("evaluated differently"));
  EXPECT_EQ(refusal({{"T1"}, {"FLAIR"}}), "");
}

TEST(Families, SayWhichEvaluationIsMissing) {
  const TemporaryDirectory folder;
  const auto members = written(folder, {{"T1"}, {"FLAIR"}});
  EXPECT_THROW(join_evaluations(members, "fold1-test"), DataError);
  std::filesystem::remove_all(members[1].directory / "eval");
  EXPECT_THROW(join_evaluations({members[0], read_run(members[1].directory)}, ""), DataError);
}

}  // namespace
}  // namespace lacuna::monitoring

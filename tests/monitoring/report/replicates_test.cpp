#include "monitoring/report/replicates.h"

#include <cmath>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "monitoring/report/report.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A run with other keys in its configuration, on its own fold.
void write_run(const Path& directory, const SyntheticRun& run, const Json& set = Json::object(),
               const std::string& fold = "fold0") {
  write_synthetic_run(directory, run);
  Json config = read_json(directory / "run.json");
  config.merge_patch(set);
  config["data"]["split"] = fold;
  std::ofstream(directory / "run.json") << config.dump();
  if (fold != "fold0") {
    std::filesystem::rename(directory / "eval/fold0-test", directory / ("eval/" + fold + "-test"));
  }
}

SyntheticRun synthetic(const std::string& method, std::uint64_t seed, double skill) {
  SyntheticRun run;
  run.method = method;
  run.seed = seed;
  run.skill = skill;
  run.overlays = false;
  return run;
}

TEST(Spread, IsThatOfASample) {
  const Spread three = spread_of({1, 2, 6, std::nan("")});
  EXPECT_DOUBLE_EQ(three.mean, 3);
  EXPECT_DOUBLE_EQ(three.deviation, std::sqrt((4.0 + 1 + 9) / 2));
  EXPECT_TRUE(std::isnan(spread_of({5}).deviation));
  EXPECT_TRUE(std::isnan(spread_of({}).mean));
}

TEST(Replicates, DifferInSeedAndFoldOnly) {
  const TemporaryDirectory folder;
  write_run(folder / "a", synthetic("unet", 1, 0.7));
  write_run(folder / "b", synthetic("unet", 2, 0.6), Json::object(), "fold1");
  write_run(folder / "c", synthetic("unet", 1, 0.9), {{"train", {{"batch", 4}}}});
  write_run(folder / "d", synthetic("mckd", 1, 0.8));
  const auto runs = read_runs({folder / "a", folder / "b", folder / "c", folder / "d"});
  const ReportView view(runs);
  EXPECT_EQ(view.evaluation_name(), "test of each run's split");
  const auto groups = find_replicates(view);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].label, "unet batch=4");  // the best first
  EXPECT_EQ(groups[1].label, "mckd");
  EXPECT_EQ(groups[2].runs.size(), 2u);
}

TEST(Replicates, ScoresOfOneCaseAreAveragedAndFoldsAddUp) {
  const TemporaryDirectory folder;
  SyntheticRun other = synthetic("unet", 3, 0.5);
  other.case_prefix = "Other_";
  write_run(folder / "a", synthetic("unet", 1, 0.7));
  write_run(folder / "b", synthetic("unet", 2, 0.6));
  write_run(folder / "c", other, Json::object(), "fold1");
  const auto runs = read_runs({folder / "a", folder / "b", folder / "c"});
  const ReportView view(runs);
  const auto pooled = pooled_scores(view, {0, 1, 2});
  const auto& one = runs[0].evaluations[0].scores;
  EXPECT_EQ(pooled.size(), 2 * one.size());
  for (const auto& score : pooled) {
    for (const auto& mine : one) {
      if (mine.case_id != score.case_id || mine.subset != score.subset) continue;
      for (const auto& his : runs[1].evaluations[0].scores) {
        if (his.case_id != score.case_id || his.subset != score.subset) continue;
        EXPECT_DOUBLE_EQ(score.regions[0].dice, (mine.regions[0].dice + his.regions[0].dice) / 2);
      }
    }
  }
}

TEST(Replicates, TheReportShowsMeanAndDeviationAndWhatDiffersByMoreThanChance) {
  const TemporaryDirectory folder;
  write_run(folder / "a", synthetic("mckd", 1, 0.8));
  write_run(folder / "b", synthetic("mckd", 2, 0.7));
  write_run(folder / "c", synthetic("unet", 1, 0.4));
  write_run(folder / "d", synthetic("unet", 2, 0.4));
  const auto runs = read_runs({folder / "a", folder / "b", folder / "c", folder / "d"});
  const std::string page = make_report(runs, "today");
  EXPECT_THAT(page, HasSubstr("Means over seeds and folds"));
  const double x = runs[0].evaluations[0].mean(Metric::kDice),
               y = runs[1].evaluations[0].mean(Metric::kDice);
  EXPECT_THAT(page, HasSubstr(fmt::format("<td>{:.1f} ± {:.1f}</td>", 50 * (x + y),
                                          100 * std::abs(x - y) / std::sqrt(2))));
  const std::size_t table = page.find("id=\"mean-subsets\"");
  ASSERT_NE(table, std::string::npos);
  EXPECT_THAT(page.substr(table), HasSubstr(" ★</td>"));
}

TEST(Replicates, WithoutRepetitionThereIsNothingToSay) {
  const TemporaryDirectory folder;
  write_run(folder / "a", synthetic("mckd", 1, 0.8));
  write_run(folder / "b", synthetic("unet", 1, 0.8));
  const auto runs = read_runs({folder / "a", folder / "b"});
  EXPECT_THAT(make_report(runs, "today"), Not(HasSubstr("Means over seeds")));
}

}  // namespace
}  // namespace lacuna::monitoring

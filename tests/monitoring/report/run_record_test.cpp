#include "monitoring/report/run_record.h"

#include <cmath>
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

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

TEST(RunRecord, ReadsMetricsWithTheirPartsAndGaps) {
  const TemporaryDirectory directory;
  write(directory / "metrics.jsonl",
        "{\"step\":10,\"loss\":2.5,\"losses\":{\"dice\":1.5},\"lr\":0.1,"
        "\"diagnostics\":{\"importance/T1\":0.25}}\n"
        "{\"step\":20,\"loss\":null,\"losses\":{\"dice\":1.0},\"lr\":0.05,"
        "\"validation\":{\"score\":0.75}}\n"
        "{\"step\":30,\"lo");
  const RunRecord run = read_run(directory.path());
  EXPECT_THAT(run.loss.x, ElementsAre(10, 20));
  EXPECT_EQ(run.loss.y[0], 2.5);
  EXPECT_TRUE(std::isnan(run.loss.y[1]));
  EXPECT_THAT(run.losses.at("dice").y, ElementsAre(1.5, 1.0));
  EXPECT_THAT(run.learning_rates.at("").y, ElementsAre(0.1, 0.05));
  EXPECT_THAT(run.diagnostics.at("importance/T1").x, ElementsAre(10));
  EXPECT_THAT(run.validation.y, ElementsAre(0.75));
  EXPECT_EQ(run.last_step, 20);
  EXPECT_THAT(run.notes, Contains(HasSubstr("1 line could not be read")));
}

TEST(RunRecord, TurnsWhatIsMissingOrDamagedIntoNotes) {
  const TemporaryDirectory directory;
  EXPECT_THAT(read_run(directory.path()).notes,
              ElementsAre(HasSubstr("run.json is missing"), HasSubstr("metrics.jsonl is missing"),
                          HasSubstr("lacuna eval")));
  write(directory / "run.json", "{\"method\": ");
  write(directory.path() / "eval/fold0-test/cases.csv", "case,subset\na,FLAIR,1\n");
  const RunRecord run = read_run(directory.path());
  EXPECT_THAT(run.notes, Contains(HasSubstr("run.json cannot be read")));
  EXPECT_THAT(run.notes, Contains(HasSubstr("row 1 has 3 fields")));
  EXPECT_THROW(read_run(directory / "absent"), DataError);
}

TEST(RunRecord, AveragesScoresByHandWorkedNumbers) {
  const TemporaryDirectory directory;
  write(directory.path() / "eval/fold0-test/cases.csv",
        "case,institution,subset,region,dice,hd95_mm\n"
        "a,x,T1,ET,0.2,10\na,x,T1,WT,0.6,20\na,x,T1+T2,ET,0.8,2\na,x,T1+T2,WT,1,4\n"
        "b,y,T1,ET,0.4,30\nb,y,T1,WT,0.8,40\nb,y,T1+T2,ET,0.6,4\nb,y,T1+T2,WT,0.8,6\n"
        "a,x,T2,ET,0.1,50\na,x,T2,WT,0.3,70\n");
  const RunRecord run = read_run(directory.path());
  const EvaluationRecord* evaluation = run.evaluation("fold0-test");
  ASSERT_NE(evaluation, nullptr);
  EXPECT_EQ(evaluation->modalities.names(), (std::vector<std::string>{"T1", "T2"}));
  EXPECT_NEAR(evaluation->mean(Metric::kDice, 0b01, 0), 0.3, 1e-12);          // T1, ET: (.2+.4)/2
  EXPECT_NEAR(evaluation->mean(Metric::kHd95, 0b11, 1), 5, 1e-12);            // T1+T2, WT: (4+6)/2
  EXPECT_NEAR(evaluation->mean_of_size(Metric::kDice, 1), 0.35, 1e-12);       // T1: .5, T2: .2
  EXPECT_NEAR(evaluation->mean_of_size(Metric::kDice, 1, 1), 0.5, 1e-12);     // WT: (.7+.3)/2
  EXPECT_NEAR(evaluation->mean_of_region(Metric::kDice, 0), 1.1 / 3, 1e-12);  // .3, .1, .7
  EXPECT_EQ(evaluation->summary.cases, 2);
}

TEST(RunRecord, LabelsRunsByWhatTellsThemApart) {
  const TemporaryDirectory directory;
  for (const auto& [name, method] : {std::pair("a", "unet"), {"b", "mckd"}, {"c", "mckd"}}) {
    write(directory.path() / name / "run.json", std::string("{\"method\":\"") + method + "\"}");
  }
  const auto runs = read_runs({directory / "a", directory / "b", directory / "c", directory / "c"});
  EXPECT_EQ(runs[0].label, "unet");
  EXPECT_EQ(runs[1].label, "mckd b");
  EXPECT_EQ(runs[2].label, "mckd c");
  EXPECT_EQ(runs[3].label, "mckd c (2)");
}

TEST(Series, ThinsToMeansOfNeighbours) {
  const Series series{{1, 2, 3, 4, 5, 6}, {1, 3, NAN, 8, NAN, NAN}};
  const Series thinned = thin(series, 3);
  EXPECT_THAT(thinned.x, ElementsAre(1, 3, 5));
  EXPECT_EQ(thinned.y[0], 2);
  EXPECT_EQ(thinned.y[1], 8);
  EXPECT_TRUE(std::isnan(thinned.y[2]));
  EXPECT_EQ(thin(series, 10).x.size(), 6u);
}

}  // namespace
}  // namespace lacuna::monitoring

#include "monitoring/report/published.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "monitoring/report/report.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

using testing::HasSubstr;
using testing::Not;

const PublishedMethod& find(const std::vector<PublishedMethod>& all, const std::string& source,
                            const std::string& method) {
  for (const auto& each : all) {
    if (each.source == source && each.method == method) return each;
  }
  throw std::runtime_error("no " + method + " of " + source);
}

// Averages as the papers print them, beside the cells.
TEST(Published, MeansOfTheCellsAreTheAveragesThatThePapersPrint) {
  const auto brats2018 = published_methods("brats2018", 285);
  const auto& mckd = find(brats2018, "MCKD, Table 1", "MCKD");
  EXPECT_NEAR(mckd.mean(Metric::kDice, "ET"), 0.6375, 5e-5);
  EXPECT_NEAR(mckd.mean(Metric::kDice, "TC"), 0.7915, 5e-5);
  EXPECT_NEAR(mckd.mean(Metric::kDice, "WT"), 0.8690, 5e-5);
  EXPECT_DOUBLE_EQ(mckd.value(Metric::kDice, "ET", "FLAIR+T1c"), 0.7749);
  EXPECT_NEAR(find(brats2018, "CCSD, Table 1", "CCSD").mean(Metric::kDice, "ET"), 0.6270, 5e-5);
  EXPECT_NEAR(find(brats2018, "SMML, Table 1", "SMML").mean(Metric::kDice, "WT"), 0.8721, 5e-5);
  const auto brats2020 = published_methods("brats2020", 369);
  EXPECT_NEAR(find(brats2020, "M3AE, Table S3", "M3AE").mean(Metric::kDice, "TC"), 0.7908, 5e-5);
  // 1251 cases are in the release that the paper took 1250 of.
  const auto fets = published_methods("fets2022", 1251);
  const auto& mst = find(fets, "MST-KDNet, README (FeTS 2024)", "MST-KDNet");
  EXPECT_NEAR(mst.mean(Metric::kDice, "WT"), 0.8841, 5e-5);
  EXPECT_NEAR(mst.mean(Metric::kHd95, "ET"), 5.37, 5e-3);
}

TEST(Published, ACellThatASourceLostMakesNoMean) {
  const auto all = published_methods("brats2024", 1350);
  const auto& acn = find(all, "MST-KDNet, README", "ACN");
  EXPECT_TRUE(std::isnan(acn.value(Metric::kDice, "WT", "FLAIR+T1+T1c")));
  EXPECT_TRUE(std::isnan(acn.mean(Metric::kDice, "WT")));
  EXPECT_FALSE(std::isnan(acn.mean(Metric::kDice, "TC")));
}

TEST(Published, OnlyTheCohortOfThePapersCounts) {
  EXPECT_TRUE(published_methods("brats2018", 8).empty());
  EXPECT_TRUE(published_methods("brats2021", 1251).empty());
  EXPECT_EQ(published_methods("brats2018", 285).size(), 18U);  // 5 of CCSD, 6 of MCKD, 7 of SMML
}

TEST(Published, StandBesideTheRunsOfTheSameCohort) {
  const TemporaryDirectory directory;
  SyntheticRun run;
  run.cohort_cases = 285;
  write_synthetic_run(directory / "run", run);
  const auto page = [&] { return make_report(read_runs({directory / "run"}), "today"); };
  EXPECT_THAT(page(), HasSubstr("<h2>Published numbers</h2>"));
  EXPECT_THAT(page(),
              HasSubstr("<tr class=\"ours\"><th scope=\"row\"><span class=\"run c0\">mckd"));
  EXPECT_THAT(page(), HasSubstr("<td>63.7</td><td>79.2</td><td>86.9</td><td><b>76.6</b></td>"));
  run.cohort_cases = 12;
  write_synthetic_run(directory / "run", run);
  EXPECT_THAT(page(), Not(HasSubstr("Published")));
}

}  // namespace
}  // namespace lacuna::monitoring

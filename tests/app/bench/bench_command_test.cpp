#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

TEST(BenchCommand, ReportsTheMachineAndEveryFigure) {
  const auto result = run_program("bench hd95 --threads 1 --repeats 1 --warm-up 0 --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["bench"], "hd95");
  EXPECT_EQ(report["threads"], 1);
  EXPECT_FALSE(report["machine"]["cpu"].get<std::string>().empty());
  ASSERT_EQ(report["entries"].size(), 2u);
  for (const Json& entry : report["entries"]) {
    EXPECT_GT(entry["seconds"], 0);
    EXPECT_EQ(entry["seconds"], entry["fastest_seconds"]);  // of one run
  }
}

TEST(BenchCommand, StartsItsOwnRanksAndVerifiesTheirSums) {
  const auto result =
      run_program("bench allreduce --ranks 2 --min 4 --max 64 --iterations 2 --device cpu --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["ranks"], 2);
  EXPECT_EQ(report["communicator"], "mpi");
  ASSERT_EQ(report["entries"].size(), 3u);  // 4, 16 and 64 bytes
  for (const Json& entry : report["entries"]) {
    EXPECT_EQ(entry["wrong"], 0);
    EXPECT_EQ(entry["count"].get<int>() * 4, entry["bytes"]);
    EXPECT_EQ(entry["algbw_gb_per_second"], entry["busbw_gb_per_second"]);  // equal for two ranks
  }
}

TEST(BenchCommand, OverlapReportsTheStepTheSumsAndBothTogether) {
  const auto result =
      run_program("bench overlap --ranks 2 --method unet --width 0.1 --repeats 1 --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json report = Json::parse(result.out);
  const double step = report["compute_seconds"], together = report["together_seconds"];
  EXPECT_GT(report["sums_seconds"], 0);
  EXPECT_DOUBLE_EQ(report["added"], (together - step) / step);
}

TEST(BenchCommand, MetricsMeasuresCountingAndScrapingAgainstAStep) {
  const auto result = run_program(
      "bench metrics --methods unet --width 0.0625 --patch 32,32,32 --threads 1 --repeats 1 "
      "--json");
  ASSERT_EQ(result.code, 0) << result.err;
  std::vector<std::string> names;
  const Json report = Json::parse(result.out);
  for (const Json& entry : report["entries"]) {
    names.push_back(entry["name"]);
    EXPECT_GT(entry["seconds"], 0) << names.back();
  }
  EXPECT_THAT(names,
              ::testing::ElementsAre("training step", "counting in a step", "a logged line",
                                     "telling a heartbeat", "step without load",
                                     "step under 1000 scrapes/s", "step with 32 stuck scrapers"));
}

TEST(BenchCommand, RefusesBadUsageWithCodeTwo) {
  EXPECT_EQ(run_program("bench").code, 2);
  EXPECT_EQ(run_program("bench hd96").code, 2);
  EXPECT_EQ(run_program("bench hd95 --repeats 0").code, 2);
  EXPECT_EQ(run_program("bench allreduce --backend smoke").code, 2);
  EXPECT_THAT(run_program("bench --help").out, HasSubstr("Example"));
}

}  // namespace
}  // namespace lacuna

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
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

TEST(BenchCommand, RefusesBadUsageWithCodeTwo) {
  EXPECT_EQ(run_program("bench").code, 2);
  EXPECT_EQ(run_program("bench hd96").code, 2);
  EXPECT_EQ(run_program("bench hd95 --repeats 0").code, 2);
  EXPECT_THAT(run_program("bench --help").out, HasSubstr("Example"));
}

}  // namespace
}  // namespace lacuna

// The whole path at toy size: phantom, ingest, two trainings, 15 subsets, report.
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

using ::testing::HasSubstr;

std::int64_t steps_skipped(const std::filesystem::path& run) {
  const std::string lines = read_text(run / "metrics.jsonl");
  const auto last = lines.rfind('\n', lines.size() - 2);
  return Json::parse(lines.substr(last + 1)).at("skipped_steps").get<std::int64_t>();
}

TEST(Demo, GoesFromNothingToAReportAndAgain) {
  const Scratch scratch;
  const std::string command = "demo --toy --out " + scratch.text("demo");
  const ProgramResult first = run_program(command);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("report.html"));

  for (const std::string method : {"mckd", "unet", "unet-strong"}) {
    const auto run = scratch / ("demo/runs/" + method);
    EXPECT_EQ(steps_skipped(run), 0) << method;
    const auto evaluation = std::filesystem::directory_iterator(run / "eval")->path();
    const Json summary = read_json(evaluation / "summary.json");
    EXPECT_EQ(summary.at("robustness").at("dice_by_size").size(), 4u);
    const std::string table = read_text(evaluation / "subsets.csv");
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 17);  // head, 15 subsets, mean
  }
  const std::string report = read_text(scratch / "demo/report.html");
  EXPECT_THAT(report, HasSubstr("mckd"));
  EXPECT_THAT(report, HasSubstr("unet"));

  // A second run finds everything made and changes no result.
  const auto table = scratch / "demo/runs/mckd/eval";
  const std::string before =
      read_text(std::filesystem::directory_iterator(table)->path() / "subsets.csv");
  const auto made = [&] {  // when each checkpoint and evaluation was
    std::map<std::string, std::filesystem::file_time_type> times;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch / "demo/runs")) {
      const std::string name = entry.path().filename();
      if (name == "model.safetensors") times[entry.path()] = entry.last_write_time();
    }
    return times;
  };
  const auto before_again = made();
  ASSERT_GE(before_again.size(), 3u);
  ASSERT_EQ(run_program(command).code, 0);
  EXPECT_EQ(made(), before_again) << "something was trained again";
  EXPECT_EQ(read_text(std::filesystem::directory_iterator(table)->path() / "subsets.csv"), before);
}

}  // namespace
}  // namespace lacuna::tests

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

TEST(ReportCommand, WritesThePageAndSaysWhere) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory / "run");
  std::ofstream(directory.path() / "run" / "run.json") << "{\"method\": \"unet\"}";
  const std::string page = (directory / "page.html").string();
  const auto result =
      run_program(fmt::format("report '{}' --out '{}'", (directory / "run").string(), page));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, page + "\n");
  EXPECT_THAT(result.err, HasSubstr("metrics.jsonl is missing"));
  std::stringstream text;
  text << std::ifstream(page).rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("No run has been evaluated yet."));
}

TEST(ReportCommand, RefusesWhatIsNoRunDirectory) {
  const TemporaryDirectory directory;
  const auto result = run_program(
      fmt::format("report '{0}/absent' --out '{0}/page.html'", directory.path().string()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("absent: no run directory"));
  EXPECT_FALSE(std::filesystem::exists(directory / "page.html"));
  EXPECT_EQ(run_program("report").code, 2);
}

}  // namespace
}  // namespace lacuna

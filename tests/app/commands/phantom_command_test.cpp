#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

TEST(PhantomCommand, WritesACohortAndSaysSo) {
  const TemporaryDirectory directory;
  const std::string line = fmt::format(
      "phantom --out '{}' --cases 2 --size 16,20,24 --json --quiet", (directory / "toy").string());
  for (const bool again : {false, true}) {
    const auto result = run_program(line);
    ASSERT_EQ(result.code, 0) << result.err;
    const Json report = Json::parse(result.out);
    EXPECT_EQ(report["cases"], 2);
    EXPECT_EQ(report["image_files"], 8);
    EXPECT_EQ(report["was_complete"], again);
    EXPECT_EQ(result.err, "");
  }
  EXPECT_TRUE(
      std::filesystem::exists(directory / "toy/BraTS2021_00001/BraTS2021_00001_t1ce.nii.gz"));
}

TEST(PhantomCommand, RefusesBadUsageWithCodeTwo) {
  const TemporaryDirectory directory;
  const std::string out = fmt::format("phantom --out '{}' ", (directory / "toy").string());
  const auto size = run_program(out + "--size 4,20,24");
  EXPECT_EQ(size.code, 2);
  EXPECT_THAT(size.err, HasSubstr("allowed: 16 to 1024"));
  const auto profile = run_program(out + "--profile brats2202");
  EXPECT_EQ(profile.code, 2);
  EXPECT_THAT(profile.err, HasSubstr("Did you mean"));
  EXPECT_EQ(run_program("phantom").code, 2);
}

}  // namespace
}  // namespace lacuna

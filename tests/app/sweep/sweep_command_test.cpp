#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::filesystem::path source() { return std::getenv("LACUNA_SOURCE"); }

TEST(SweepCommand, EveryShippedSweepIsValid) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source() / "experiments")) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    const auto result = run_program("sweep plan " + entry.path().string() +
                                    " --json --set data.cache=/no/such/cache");
    ASSERT_EQ(result.code, 0) << entry.path() << result.err;
    const Json plan = Json::parse(result.out);
    EXPECT_GE(plan.at("runs").size(), 2u) << entry.path();
    EXPECT_THAT(plan.at("notes").at(0).get<std::string>(), HasSubstr("/no/such/cache"));
    EXPECT_FALSE(std::filesystem::exists(source() / "experiments/sweeps"));  // plan writes nothing
  }
  EXPECT_GE(files, 8);
}

TEST(SweepCommand, SaysWhatIsWrongAndWhatToDo) {
  const Scratch scratch;
  const std::string file = scratch.text("s.json");
  const auto error = [&](const Json& definition, const std::string& command) {
    std::ofstream(file) << definition.dump();
    const auto result = run_program("sweep " + command + " " + file);
    EXPECT_EQ(result.code, 2) << result.err;
    return result.err;
  };
  EXPECT_THAT(error({{"base", {{"method", "unet"}}}, {"grid", {{"train.sed", {1, 2}}}}}, "plan"),
              AllOf(HasSubstr("unet sed=1"), HasSubstr("Did you mean train.seed?")));
  EXPECT_THAT(error({{"grid", {{"method", {"unet", "transunet"}}}}}, "plan"),
              HasSubstr("transunet"));
  EXPECT_THAT(error({{"base", {{"method", "unet"}}}}, "submit --local 1"),
              HasSubstr("data.cache is not set"));
  const auto nowhere = run_program("sweep status " + scratch.path().string());
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("no plan.json in it"));
}

TEST(SweepCommand, PlanNeedsNeitherDataNorSlurm) {
  const Scratch scratch;
  std::ofstream(scratch / "s.json") << R"({"base": {"method": "unet"}})";
  const auto plan = run_program("sweep plan " + scratch.text("s.json"));
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("s: 1 runs, 1 pending; no run of their kind has been timed"));
}

}  // namespace
}  // namespace lacuna

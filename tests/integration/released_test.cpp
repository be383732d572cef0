// Run directories, caches and sweeps that the first release wrote (tests/fixtures/released).
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A copy of the fixture: what is there is written to.
class Released : public ::testing::Test {
 protected:
  Released() {
    fs::copy(fs::path(std::getenv("LACUNA_SOURCE")) / "tests/fixtures/released", scratch_ / "old",
             fs::copy_options::recursive);
  }
  std::string text(const std::string& name) const { return scratch_.text("old/" + name); }
  std::string cache() const { return " --set data.cache=" + text("cache"); }

  Scratch scratch_;
};

std::map<std::int64_t, Json> lines_by_step(const fs::path& path) {
  std::map<std::int64_t, Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line);
    lines[json.at("step").get<std::int64_t>()] = json;
  }
  return lines;
}

// Losses to a part in 1e4: another processor may add up in another order, but another sample,
// another learning rate or lost moments of the optimiser show in the second digit.
TEST_F(Released, ARunGoesOnAsTheProgramThatBeganItWould) {
  const fs::path run = scratch_ / "old/run";
  const std::string hash = read_json(run / "run.json").at("provenance").at("hash");
  const auto resumed =
      run_program("train --quiet " + text("run/run.json") + " --out " + run.string() + cache());
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resuming at step 4 of 6"));
  EXPECT_EQ(read_json(run / "run.json").at("provenance").at("hash"), hash);
  const auto now = lines_by_step(run / "metrics.jsonl");
  ASSERT_EQ(now.size(), 6);
  for (const auto& [step, expected] : lines_by_step(scratch_ / "old/continued.jsonl")) {
    const Json& line = now.at(step);
    EXPECT_NEAR(line.at("loss"), expected.at("loss"), 1e-4) << step;
    EXPECT_EQ(line.at("lr"), expected.at("lr")) << step;
    const double norm = expected.at("gradient_norms").at("network");
    EXPECT_NEAR(line.at("gradient_norms").at("network"), norm, 1e-3 * norm) << step;
  }
  EXPECT_NEAR(now.at(6).at("validation").at("score"),
              lines_by_step(scratch_ / "old/continued.jsonl").at(6).at("validation").at("score"),
              1e-3);
  EXPECT_TRUE(fs::is_directory(run / "checkpoints/step-00000006"));
}

TEST_F(Released, ARunIsEvaluatedAndInspected) {
  const auto evaluated =
      run_program("eval --quiet --no-hd95 " + text("run") + " --data " + text("cache"));
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  const auto inspected = run_program("inspect " + text("run"));
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_THAT(inspected.out, HasSubstr("step"));
}

TEST_F(Released, AFinishedSweepIsDoneAndNothingIsTrainedAgain) {
  const auto status = run_program("sweep status --json " + text("sweep"));
  ASSERT_EQ(status.code, 0) << status.err;
  EXPECT_EQ(Json::parse(status.out).at("counts").at("done"), 2) << status.out;
  const fs::path model =
      scratch_ / "old/sweep/runs/cd720b35499b31ce/checkpoints/step-00000002/model.safetensors";
  const auto written = fs::last_write_time(model);
  const auto again = run_program("sweep submit --local 1 " + text("sweep") + cache());
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("2 runs are done already"));
  EXPECT_EQ(fs::last_write_time(model), written);
  std::size_t runs = 0;
  for ([[maybe_unused]] const auto& each : fs::directory_iterator(scratch_ / "old/sweep/runs")) {
    ++runs;
  }
  EXPECT_EQ(runs, 2) << "a run got another name";
}

}  // namespace
}  // namespace lacuna::tests

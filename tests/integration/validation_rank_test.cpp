// A validation rank whose work takes longer than every limit of the watch, in the real program: the
// trainers wait for it, and nobody is taken for the one that hangs.
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/comm/run_ranks.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;

constexpr double kStallLimit = 0.5;  // seconds; 20 median steps if that is more

class ValidationRankTest : public ::testing::Test {
 protected:
  // Exit code of a run on `ranks` ranks, the last of which validates.
  int train(int ranks, Json run, const std::string& out) {
    run["meta"]["rank"] = "dedicated";
    run["monitor"] = {
        {"heartbeat_seconds", 0.1}, {"heartbeat_limit", 20}, {"stall_limit", kStallLimit}};
    std::ofstream(scratch_ / "run.json") << run.dump();
    const std::string command = mpirun_command(ranks) + std::getenv("LACUNA_PROGRAM") + " train " +
                                scratch_.text("run.json") + " --quiet --out " + scratch_.text(out) +
                                " >" + scratch_.text("said") + " 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string said() const { return read_text(scratch_ / "said"); }
  std::vector<Json> lines(const std::string& out, const char* file) const {
    std::vector<Json> all;
    std::ifstream stream(scratch_ / out / file);
    for (std::string line; std::getline(stream, line);) all.push_back(Json::parse(line));
    return all;
  }
  void expect_nobody_blamed(const std::string& out) const {
    for (const Json& event : lines(out, "events.jsonl")) {
      EXPECT_NE(event.at("event"), "peer_lost") << event;
    }
  }

  Scratch scratch_;
};

TEST_F(ValidationRankTest, TrainersThatWaitForALongValidationAreLeftAlone) {
  Json run = small_run(4);
  run["validate"] = {{"every", 2}, {"lag", 1}, {"hd95", true}};
  ASSERT_EQ(train(3, run, "out"), 0) << said();
  expect_nobody_blamed("out");
  int validations = 0;
  double longest = 0, steps = 0;
  for (const Json& line : lines("out", "metrics.jsonl")) {
    if (line.contains("seconds")) steps += line["seconds"]["step"].get<double>() / 4;
    if (!line.contains("validation")) continue;
    ++validations;
    longest = std::max(longest, line["validation"]["seconds"].get<double>());
  }
  EXPECT_EQ(validations, 2);
  // Or the test has shown nothing.
  EXPECT_GT(longest, 1.5 * kStallLimit);
  EXPECT_GT(steps, 0);
}

TEST_F(ValidationRankTest, SoAreThoseThatWaitForALongPhaseOnTheMetaSet) {
  Json run = small_run(3);
  run["method"] = "mckd";
  run["data"]["patch"] = {32, 64, 64};
  run["meta"] = {{"period", 2}, {"repeats", 24}, {"mode", "sync"}};
  ASSERT_EQ(train(2, run, "out"), 0) << said();
  expect_nobody_blamed("out");
  double longest = 0;
  for (const Json& line : lines("out", "metrics.jsonl")) {
    longest = std::max(longest, line.at("seconds").at("meta").get<double>());
  }
  EXPECT_GT(longest, 1.5 * kStallLimit);
}

}  // namespace
}  // namespace lacuna::tests

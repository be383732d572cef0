// A real method trained by the program on several ranks that mpirun starts.
#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/comm/run_ranks.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;

constexpr int kRankSteps = 4;
// Of runs that are stopped or killed on the way: more than pass before the signal arrives.
constexpr const char* kLong = "--set train.steps=12";

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() {
    const Json run = {
        {"method", "mckd"},
        {"data",
         {{"cache", small_cohort().string()},
          {"split", "small"},
          {"patch", {32, 64, 64}},
          {"loader_threads", 1}}},
        {"model", {{"width", 0.0625}}},
        {"train", {{"steps", kRankSteps}, {"batch", 2}, {"threads", 1}, {"device", "cpu"}}},
        {"meta", {{"period", 2}, {"repeats", 1}, {"lag", 1}}},
        {"validate", {{"every", 0}}},
        {"checkpoint", {{"every_steps", 1}}},
        {"log", {{"every", 1}}}};
    std::ofstream(scratch_ / "run.json") << run.dump();
  }

  // ranks 0: without a launcher.
  std::string command(int ranks, const std::string& out, const std::string& more = "") const {
    return (ranks > 0 ? mpirun_command(ranks) : "") + std::getenv("LACUNA_PROGRAM") + " train " +
           scratch_.text("run.json") + " --quiet --out " + scratch_.text(out) + " " + more;
  }
  int run(const std::string& command) const {
    const int status = std::system((command + " >" + scratch_.text("out") + " 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string said() const { return read_text(scratch_ / "out"); }
  std::vector<Json> metrics(const std::string& out) const {
    std::vector<Json> lines;
    std::ifstream file(scratch_ / out / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  // Processes that train in this test's directory: the ranks, without mpirun.
  std::set<pid_t> ranks_of(const std::string& out) const {
    std::set<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string line = read_text(entry.path() / "cmdline");
      if (line.find(scratch_.text(out)) != std::string::npos && !line.starts_with("mpirun") &&
          line.find("sh") != 0 && line.find("train") != std::string::npos) {
        found.insert(std::stoi(entry.path().filename()));
      }
    }
    return found;
  }

  // Starts a training on two ranks; once it has logged a step, `act` gets mpirun's pid and the
  // ranks'. mpirun's exit code.
  template <typename Act>
  int act_after_a_step(const std::string& out, const Act& act) {
    const std::string line =
        "exec env " + command(2, out, kLong) + " >" + scratch_.text("out") + " 2>&1";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(3);
    while (metrics(out).empty() && ::waitpid(child, nullptr, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "no step within the deadline: " << said();
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const std::set<pid_t> ranks = ranks_of(out);
    if (ranks.size() == 2) {
      act(child, ranks);
    } else {
      ADD_FAILURE() << ranks.size() << " ranks to act on: " << said();
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  // A rank may outlive its mpirun by a moment: it hears of the end from the kernel.
  void expect_no_rank_left(const std::string& out) const {
    for (int i = 0; i < 1000 && !ranks_of(out).empty(); ++i) ::usleep(10'000);
    EXPECT_THAT(ranks_of(out), ::testing::IsEmpty());
  }

  void expect_same_result(const std::string& one, const std::string& other, int step) const {
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const fs::path at = fs::path("checkpoints") / fmt::format("step-{:08}", step) / file;
      const std::string bytes = read_text(scratch_ / one / at);
      ASSERT_FALSE(bytes.empty());
      EXPECT_TRUE(bytes == read_text(scratch_ / other / at)) << file;
    }
  }

  Scratch scratch_;
};

// The process adds up samples one by one, as the ranks do: at this width MCKD's first steps blow up
// the rounding of another order a hundredfold per step.
TEST_F(RanksTest, LossesAreThoseOfOneProcess) {
  ASSERT_EQ(run(command(0, "one", "--set train.micro_batch=1")), 0) << said();
  ASSERT_EQ(run(command(2, "two")), 0) << said();
  const auto one = metrics("one"), two = metrics("two");
  ASSERT_EQ(one.size(), static_cast<std::size_t>(kRankSteps));
  ASSERT_EQ(two.size(), one.size());
  EXPECT_EQ(two.back().at("skipped_steps"), 0);
  for (std::size_t i = 0; i < one.size(); ++i) {
    for (const auto& [name, value] : one[i].at("losses").items()) {
      const double expected = value;
      EXPECT_NEAR(two[i].at("losses").at(name), expected, 1e-4 * std::abs(expected)) << name;
    }
  }
}

TEST_F(RanksTest, AnAsyncRunWithAValidationRankIsBitEqualToOneProcess) {
  const std::string late = "--set meta.mode=async ";
  ASSERT_EQ(run(command(0, "one", late)), 0) << said();
  ASSERT_EQ(run(command(2, "two", late + "--set meta.rank=dedicated")), 0) << said();
  expect_same_result("one", "two", kRankSteps);
}

TEST_F(RanksTest, Sigusr2ToTheLauncherAndSigtermToARankSaveAndEndWith75) {
  ASSERT_EQ(run(command(2, "whole", kLong)), 0) << said();
  const auto usr2 = [&](pid_t launcher, const std::set<pid_t>&) { ::kill(launcher, SIGUSR2); };
  EXPECT_EQ(act_after_a_step("usr2", usr2), 75) << said();
  expect_no_rank_left("usr2");
  const auto term = [&](pid_t, const std::set<pid_t>& ranks) { ::kill(*ranks.rbegin(), SIGTERM); };
  EXPECT_EQ(act_after_a_step("term", term), 75) << said();
  expect_no_rank_left("term");
  for (const char* out : {"usr2", "term"}) {
    ASSERT_EQ(run(command(2, out, kLong)), 0) << said();
    expect_same_result("whole", out, 12);
  }
}

TEST_F(RanksTest, AKilledRankEndsTheRunWhichResumesBitEqually) {
  ASSERT_EQ(run(command(2, "whole", kLong)), 0) << said();
  const auto kill = [&](pid_t, const std::set<pid_t>& ranks) { ::kill(*ranks.begin(), SIGKILL); };
  EXPECT_NE(act_after_a_step("killed", kill), 0);
  expect_no_rank_left("killed");
  ASSERT_EQ(run(command(2, "killed", kLong)), 0) << said();
  expect_same_result("whole", "killed", 12);
}

TEST_F(RanksTest, ABadConfigurationEndsAllRanksWith2) {
  EXPECT_EQ(run(command(2, "bad", "--set data.split=none")), 2) << said();
  EXPECT_THAT(said(), ::testing::HasSubstr("none"));
}

}  // namespace
}  // namespace lacuna::tests

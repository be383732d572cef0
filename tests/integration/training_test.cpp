// Whole trainings of the real methods by the program: killed, stopped and resumed.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text/json.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kSteps = 6;

class TrainingTest : public ::testing::TestWithParam<const char*> {
 protected:
  TrainingTest() {
    // In the order of the network's axes: MST-KDNet has the slices last.
    const Json patch = std::string(GetParam()) == "mst-kdnet" ? Json{64, 64, 32} : Json{32, 64, 64};
    const Json run = {
        {"method", GetParam()},
        {"data", {{"cache", small_cohort().string()}, {"split", "small"}, {"patch", patch}}},
        {"model", {{"width", 0.0625}}},
        {"train", {{"steps", kSteps}, {"batch", 1}, {"threads", 2}, {"device", "cpu"}}},
        {"meta", {{"period", 3}, {"repeats", 1}}},
        {"validate", {{"every", 0}}},
        {"checkpoint", {{"every_steps", 1}}},
        {"log", {{"every", 1}}}};
    std::ofstream(scratch_ / "run.json") << run.dump();
  }

  std::string command(const std::string& out) const {
    return "train " + scratch_.text("run.json") + " --quiet --out " + scratch_.text(out);
  }
  std::size_t logged(const std::string& out) const {
    const std::string text = read_text(scratch_ / out / "metrics.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  // Starts a training, signals it once it has logged `steps` steps, and returns the wait status.
  int signal_after(const std::string& out, std::size_t steps, int signal) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, STDERR_FILENO);
      ::dup2(null, STDOUT_FILENO);
      const std::string run = scratch_.text("run.json"), directory = scratch_.text(out);
      ::execl(std::getenv("LACUNA_PROGRAM"), "lacuna", "train", run.c_str(), "--quiet", "--out",
              directory.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(3);
    while (logged(out) < steps) {
      if (::waitpid(child, &status, WNOHANG) != 0) return status;  // ended by itself
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "no step within the deadline";
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::kill(child, signal);
    ::waitpid(child, &status, 0);
    return status;
  }

  void expect_same_result(const std::string& one, const std::string& other) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const fs::path at = fs::path("checkpoints") / "step-00000006" / file;
      const std::string bytes = read_text(scratch_ / one / at);
      ASSERT_FALSE(bytes.empty());
      EXPECT_TRUE(bytes == read_text(scratch_ / other / at)) << file;
    }
    EXPECT_EQ(logged(one), logged(other));
    // Steps that are skipped change nothing and would be equal for that reason.
    EXPECT_EQ(read_text(scratch_ / one / "events.jsonl").find("nonfinite"), std::string::npos);
  }

  Scratch scratch_;
};

TEST_P(TrainingTest, KilledAtARandomStepItResumesBitEqually) {
  const auto whole = run_program(command("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const int status = signal_after(
      "killed", std::uniform_int_distribution<std::size_t>(1, kSteps - 2)(random), SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(status));
  const auto resumed = run_program(command("killed"));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  expect_same_result("whole", "killed");
}

TEST_P(TrainingTest, OnSigtermItSavesEndsWith75AndResumes) {
  const auto whole = run_program(command("whole"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const int status = signal_after("stopped", 1, SIGTERM);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 75);
  const auto resumed = run_program(command("stopped"));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  expect_same_result("whole", "stopped");
  const auto again = run_program(command("stopped"));
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("finished"));
  const auto other = run_program(command("stopped") + " --set train.seed=2");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("train.seed"));
}

INSTANTIATE_TEST_SUITE_P(Methods, TrainingTest, ::testing::Values("mckd", "mst-kdnet", "unet"));

}  // namespace
}  // namespace lacuna::tests

// kill -9 of a process that trains, at random moments, and what the run is worth afterwards.
#include <csignal>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/worker/toy_run.h"

namespace lacuna::worker {
namespace {

namespace fs = std::filesystem;

// Runs as the child: trains $LACUNA_TEST_RUN and kills itself in the loss call of number
// $LACUNA_TEST_KILL (0: never).
TEST(KilledRun, DISABLED_Child) {
  const char* run = std::getenv("LACUNA_TEST_RUN");
  ASSERT_NE(run, nullptr);
  int calls_left = std::atoi(std::getenv("LACUNA_TEST_KILL"));
  const auto hooks = toy_hooks([&](ToyMethod& method) {
    method.on_loss = [&](auto&&...) {
      if (--calls_left == 0) ::kill(::getpid(), SIGKILL);
    };
  });
  train(toy_config(std::getenv("LACUNA_TEST_CACHE")), run, hooks);
}

// The signal that ended the child, or 0.
int train_in_child(const fs::path& run, int kill_at) {
  ::setenv("LACUNA_TEST_RUN", run.c_str(), 1);
  ::setenv("LACUNA_TEST_CACHE", toy_cache().c_str(), 1);
  ::setenv("LACUNA_TEST_KILL", std::to_string(kill_at).c_str(), 1);
  // Through exec: torch's threads do not survive a plain fork.
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "test_worker", "--gtest_also_run_disabled_tests",
            "--gtest_filter=KilledRun.DISABLED_Child", "--gtest_brief=1", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return 0;
}

TEST(KilledRun, ResumedItIsBitEqualToOneThatWasNot) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const TemporaryDirectory folder;
  ASSERT_EQ(train_in_child(folder / "whole", 0), 0);
  // 18 loss calls, six of them of the meta phase. Killed up to three times, anywhere.
  for (int kills = 0; kills < 3; ++kills) {
    const int at = std::uniform_int_distribution(1, 14)(random);
    if (train_in_child(folder / "killed", at) != SIGKILL) break;
  }
  ASSERT_EQ(train_in_child(folder / "killed", 0), 0);
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "ema.safetensors"}) {
    const fs::path at = fs::path("checkpoints") / "step-00000012" / file;
    ASSERT_FALSE(bytes_of(folder / "whole" / at).empty());
    EXPECT_EQ(bytes_of(folder / "whole" / at), bytes_of(folder / "killed" / at)) << file;
  }
  EXPECT_EQ(timeless_metrics(folder / "whole"), timeless_metrics(folder / "killed"));
}

}  // namespace
}  // namespace lacuna::worker

// kill -9 of a process that trains, at random moments, and what the run is worth afterwards.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/worker/toy_run.h"
#include "worker/state/checkpoint_store.h"

namespace lacuna::worker {
namespace {

namespace fs = std::filesystem;

// The real one, file by file, until the call of that number, in which the process is killed.
class DeadlyFileSystem final : public FileSystem {
 public:
  explicit DeadlyFileSystem(int calls_left) : calls_left_(calls_left) {}

  std::unique_ptr<WritableFile> create(const Path& path) override {
    count();
    return std::make_unique<File>(*this, real_.create(path));
  }
  void rename(const Path& from, const Path& to) override {
    count();
    real_.rename(from, to);
  }
  void sync_directory(const Path& path) override {
    count();
    real_.sync_directory(path);
  }
  void make_directories(const Path& path) override {
    count();
    real_.make_directories(path);
  }
  void remove(const Path& path) override {
    count();
    real_.remove(path);
  }
  void remove_all(const Path& path) override {
    if (fs::is_directory(path)) {
      for (const std::string& name : real_.list(path)) remove_all(path / name);
    }
    remove(path);
  }
  bool exists(const Path& path) override { return real_.exists(path); }
  std::vector<std::byte> read(const Path& path) override { return real_.read(path); }
  std::vector<std::string> list(const Path& path) override { return real_.list(path); }

 private:
  class File final : public WritableFile {
   public:
    File(DeadlyFileSystem& owner, std::unique_ptr<WritableFile> real)
        : owner_(owner), real_(std::move(real)) {}
    void append(std::span<const std::byte> bytes) override {
      real_->append(bytes.first(bytes.size() / 2));
      owner_.count();  // half of it is written
      real_->append(bytes.subspan(bytes.size() / 2));
    }
    void sync() override {
      owner_.count();
      real_->sync();
    }
    void close() override {
      owner_.count();
      real_->close();
    }

   private:
    DeadlyFileSystem& owner_;
    std::unique_ptr<WritableFile> real_;
  };

  void count() {
    if (--calls_left_ == 0) ::kill(::getpid(), SIGKILL);
  }

  FileSystem& real_ = posix_file_system();
  int calls_left_;
};

// Runs as the child: trains $LACUNA_TEST_RUN and kills itself as $LACUNA_TEST_KILL says: never, in
// the loss call of a number, in the call of that number of a save or a removal, or after so many
// microseconds (between the updates of two groups, in a step of an optimiser, in a log line).
TEST(KilledRun, DISABLED_Child) {
  const char* run = std::getenv("LACUNA_TEST_RUN");
  ASSERT_NE(run, nullptr);
  const std::string when = std::getenv("LACUNA_TEST_KILL");
  const int number = std::atoi(when.c_str() + when.find(' ') + 1);
  int losses_left = when.starts_with("loss") ? number : -1;
  auto hooks = toy_hooks([&](ToyMethod& method) {
    method.on_loss = [&](auto&&...) {
      if (--losses_left == 0) ::kill(::getpid(), SIGKILL);
    };
  });
  DeadlyFileSystem files(when.starts_with("file") ? number : -1);
  hooks.checkpoint_files = &files;
  std::jthread timer;
  if (when.starts_with("time")) {
    bool started = false;
    hooks.stop_requested = [&] {  // asked at the first step: the start is not what is tested
      if (!std::exchange(started, true)) {
        timer = std::jthread([number] {
          std::this_thread::sleep_for(std::chrono::microseconds(number));
          ::kill(::getpid(), SIGKILL);
        });
      }
      return false;
    };
    train(toy_config(std::getenv("LACUNA_TEST_CACHE")), run, hooks);
    timer.detach();
    return;
  }
  train(toy_config(std::getenv("LACUNA_TEST_CACHE")), run, hooks);
}

// The signal that ended the child, or 0.
int train_in_child(const fs::path& run, const std::string& kill) {
  ::setenv("LACUNA_TEST_RUN", run.c_str(), 1);
  ::setenv("LACUNA_TEST_CACHE", toy_cache().c_str(), 1);
  ::setenv("LACUNA_TEST_KILL", kill.c_str(), 1);
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

std::int64_t newest_step(const fs::path& run) {
  const CheckpointStore store(posix_file_system(), run / "checkpoints", 2);
  return store.newest_valid(nullptr).value_or(0);
}

void expect_equal(const fs::path& one, const fs::path& other) {
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "ema.safetensors"}) {
    const fs::path at = fs::path("checkpoints") / "step-00000012" / file;
    ASSERT_FALSE(bytes_of(one / at).empty());
    EXPECT_EQ(bytes_of(one / at), bytes_of(other / at)) << file;
  }
  EXPECT_EQ(timeless_metrics(one), timeless_metrics(other));
}

TEST(KilledRun, ResumedItIsBitEqualToOneThatWasNot) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto draw = [&](int first, int last) {
    return std::uniform_int_distribution(first, last)(random);
  };
  const TemporaryDirectory folder;
  ASSERT_EQ(train_in_child(folder / "whole", "never"), 0);
  // 18 loss calls, six of them of the meta phase; a save makes some twenty calls, a removal seven.
  for (const int round : {0, 1}) {
    const fs::path run = folder / fmt::format("killed-{}", round);
    std::vector<std::string> kills = {fmt::format("loss {}", draw(1, 14))};
    for (int i = 0; i < 3; ++i) kills.push_back(fmt::format("file {}", draw(1, 90)));
    for (int i = 0; i < 2; ++i) kills.push_back(fmt::format("time {}", draw(1, 60'000)));
    std::shuffle(kills.begin(), kills.end(), random);
    std::int64_t newest = 0;
    for (const std::string& kill : kills) {
      SCOPED_TRACE(kill);
      const int signal = train_in_child(run, kill);
      const std::int64_t now = newest_step(run);
      EXPECT_GE(now, newest) << "a kill cost a checkpoint that was there";
      newest = now;
      if (signal != SIGKILL) break;  // it was done before
    }
    ASSERT_EQ(train_in_child(run, "never"), 0);
    expect_equal(folder / "whole", run);
  }
}

}  // namespace
}  // namespace lacuna::worker

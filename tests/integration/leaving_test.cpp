// Everybody leaves in time, whatever hangs: ranks stopped where only MPI is waiting, storage that
// does not answer, supervisors that were killed.
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/process/child_process.h"
#include "base/text/json.h"
#include "coordinator/supervisor/leftovers.h"
#include "coordinator/supervisor/supervisor.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kSilent = 2.5;  // monitor.heartbeat_limit: a start takes 10 of these, an end 4
constexpr double kDeadline = 240;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Leaving : public ::testing::Test {
 protected:
  void write_run(int steps,
                 const Json& monitor = {{"heartbeat_seconds", 0.2}, {"heartbeat_limit", kSilent}}) {
    Json run = small_run(steps);
    run["monitor"] = monitor;
    std::ofstream(folder_ / "run.json") << run.dump();
  }
  std::unique_ptr<ChildProcess> launch(const fs::path& out, const std::vector<std::string>& more,
                                       const std::map<std::string, std::string>& environment = {}) {
    ChildOptions options;
    options.command = {std::getenv("LACUNA_PROGRAM"),
                       "train",
                       folder_.text("run.json"),
                       "--quiet",
                       "--out",
                       out.string()};
    options.command.insert(options.command.end(), more.begin(), more.end());
    options.environment = environment;
    options.capture_output = options.capture_error = true;
    return std::make_unique<ChildProcess>(options);
  }
  int wait(ChildProcess& child) {
    const auto start = Clock::now();
    std::optional<int> code;
    while (!(code = child.wait(1)) && seconds_since(start) < kDeadline) {
    }
    if (!code) {
      ADD_FAILURE() << "does not leave";
      code = child.end(1);
    }
    error_ = child.take_error();
    return *code;
  }
  // A run on two ranks, one of which stops for ever at a call of MPI, the first time.
  int run_stopping(int rank, const std::string& call, const std::vector<std::string>& more) {
    const auto child = launch(folder_ / "out", more,
                              {{"LD_PRELOAD", LACUNA_STOP_IN_MPI},
                               {"LACUNA_STOP_RANK", std::to_string(rank)},
                               {"LACUNA_STOP_CALL", call},
                               {"LACUNA_STOP_MARK", folder_.text("stopped")}});
    const int code = wait(*child);
    EXPECT_TRUE(fs::exists(folder_ / "stopped")) << error_;
    const auto left = coordinator::processes_of(coordinator::run_id(folder_ / "out"));
    EXPECT_TRUE(left.empty());
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    return code;
  }
  std::vector<Json> events(const fs::path& out, const std::string& kind) const {
    std::vector<Json> found;
    std::ifstream file(out / "supervisor.jsonl");
    for (std::string line; std::getline(file, line);) {
      const Json json = Json::parse(line, nullptr, false);
      if (json.is_object() && json.value("event", "") == kind) found.push_back(json);
    }
    return found;
  }
  std::string loss() const {
    const auto lost = events(folder_ / "out", "lost");
    if (lost.size() != 1) return fmt::format("{} losses", lost.size());
    return fmt::format("{} {}", lost[0].at("code").get<int>(),
                       lost[0].at("reason").get<std::string>());
  }
  static std::vector<fs::path> scratches() {
    std::vector<fs::path> found;
    const std::string prefix = fmt::format("lacuna-{}-", ::geteuid());
    for (const auto& entry : fs::directory_iterator("/dev/shm")) {
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
    }
    return found;
  }

  const Scratch folder_;
  std::string error_;
};

TEST_F(Leaving, ARankStoppedBeforeMpiStartsIsNamedAndTheRunStartsAgain) {
  write_run(2);
  EXPECT_EQ(run_stopping(1, "MPI_Init_thread", {"--ranks", "2", "--max-restarts", "1"}), 0)
      << error_;
  EXPECT_THAT(loss(),
              ::testing::AllOf(HasSubstr("76 rank 0"), HasSubstr("MPI_Init"),
                               HasSubstr("rank 1 (pid "), HasSubstr("is stopped (state T)")))
      << error_;
}

TEST_F(Leaving, ARankStoppedInTheFirstGatherIsNamedAndTheRunStartsAgain) {
  write_run(2);
  EXPECT_EQ(run_stopping(1, "MPI_Isend", {"--ranks", "2", "--max-restarts", "1"}), 0) << error_;
  EXPECT_THAT(loss(), ::testing::AllOf(HasSubstr("76 rank 0"), HasSubstr("rank 1 did not come"),
                                       HasSubstr("is stopped (state T)")))
      << error_;
}

TEST_F(Leaving, RankZeroStoppedInTheFirstGatherIsNamedByTheOthers) {
  write_run(2);
  EXPECT_EQ(run_stopping(0, "MPI_Irecv", {"--ranks", "2", "--max-restarts", "0"}), 76) << error_;
  EXPECT_THAT(loss(), ::testing::AllOf(HasSubstr("76 rank 1"), HasSubstr("rank 0 did not come"),
                                       HasSubstr("is stopped (state T)")))
      << error_;
}

TEST_F(Leaving, ARankStoppedInMpiFinalizeIsNamedAndTheNextStartFindsTheRunDone) {
  write_run(2);
  EXPECT_EQ(run_stopping(1, "MPI_Finalize", {"--ranks", "2", "--max-restarts", "1"}), 0) << error_;
  EXPECT_THAT(loss(), ::testing::AllOf(HasSubstr("76 rank 0"), HasSubstr("MPI_Finalize"),
                                       HasSubstr("rank 1 (pid ")))
      << error_;
  EXPECT_EQ(events(folder_ / "out", "start").size(), 2u);
}

TEST_F(Leaving, OneRankIsRestartedWhenAskedFor) {
  write_run(1'000'000);
  const auto child = launch(folder_ / "out", {"--max-restarts", "2"});
  const std::string id = coordinator::run_id(folder_ / "out");
  const auto start = Clock::now();
  std::vector<pid_t> ranks;
  std::size_t lines = 0;
  const auto logged = [&] {
    const std::string text = read_text(folder_ / "out" / "metrics.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  while (logged() < 3 && seconds_since(start) < kDeadline) child->wait(0.05);
  ranks = coordinator::processes_of(id);
  ASSERT_EQ(ranks.size(), 1u);
  ::kill(ranks[0], SIGKILL);
  lines = logged();
  const auto killed = Clock::now();
  while (logged() < lines + 2 && seconds_since(start) < kDeadline) child->wait(0.05);
  std::printf("from the kill to the next steps: %.1f s\n", seconds_since(killed));
  child->signal(SIGTERM);
  EXPECT_EQ(wait(*child), 75) << error_;
  EXPECT_THAT(loss(), HasSubstr("137 "));
}

// The kernel is asked to hold all writes (fsfreeze): nothing in the run directory answers any more.
TEST_F(Leaving, StorageThatHangsKeepsNobodyButWhoWritesToIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can mount and freeze a file system";
  const auto sh = [](const std::string& command) {
    return std::system((command + " 2>&1").c_str());
  };
  const std::string disk = folder_.text("disk"), image = folder_.text("image");
  fs::create_directories(disk);
  if (sh(fmt::format("truncate -s 200M {0} && mkfs.ext4 -q {0} && mount -o loop {0} {1}", image,
                     disk)) != 0) {
    GTEST_SKIP() << "no loop device can be mounted here";
  }
  struct Thaw {
    std::string disk;
    ~Thaw() {
      (void)std::system(
          ("fsfreeze -u " + disk + " 2>/dev/null; sleep 1; umount -l " + disk).c_str());
    }
  } const thaw{disk};
  write_run(1'000'000, {{"heartbeat_seconds", 0.2}, {"heartbeat_limit", 6}, {"stall_limit", 1}});
  const fs::path out = fs::path(disk) / "out";
  const auto child = launch(out, {"--ranks", "2", "--max-restarts", "3"});
  const auto start = Clock::now();
  const auto steps = [&] {
    const std::string text = read_text(out / "metrics.jsonl");
    return std::count(text.begin(), text.end(), '\n');
  };
  while (steps() < 5 && seconds_since(start) < kDeadline) child->wait(0.05);
  ASSERT_GE(steps(), 5);
  const auto ranks = coordinator::rank_processes_of(coordinator::run_id(out));
  ASSERT_EQ(ranks.size(), 2u);
  pid_t healthy = 0;
  for (const auto& each : ranks) {
    if (each.rank == 1) healthy = each.pid;
  }
  ASSERT_EQ(sh("fsfreeze -f " + disk), 0);
  const auto frozen = Clock::now();
  // The rank that does not write is told, and gone, while the disk still hangs.
  while (::kill(healthy, 0) == 0 && seconds_since(frozen) < 60) child->wait(0.05);
  const double told = seconds_since(frozen);
  EXPECT_LT(told, 60);
  const int code = wait(*child);  // and so is the supervisor
  std::printf("rank 1 gone after %.1f s, the supervisor after %.1f s\n", told,
              seconds_since(frozen));
  EXPECT_EQ(code, 76) << error_;
  EXPECT_THAT(error_, HasSubstr("rank 0 (host "));
  EXPECT_LT(seconds_since(frozen), 90);
}

TEST_F(Leaving, SupervisorsThatWereKilledLeaveNothingAfterTheNextStart) {
  write_run(1'000'000);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const fs::path out = folder_ / fmt::format("killed{}", i);
    ids.push_back(coordinator::run_id(out));
    const auto child = launch(out, {"--ranks", "2"});
    const auto start = Clock::now();
    while (!fs::exists(out / "metrics.jsonl") && seconds_since(start) < kDeadline)
      child->wait(0.05);
    child->signal(SIGKILL);
    EXPECT_EQ(child->wait(10), 137);
    while (!coordinator::processes_of(ids.back()).empty() && seconds_since(start) < kDeadline) {
      ::usleep(20'000);
    }
  }
  write_run(1);
  const auto next = launch(folder_ / "next", {});
  EXPECT_EQ(wait(*next), 0) << error_;
  for (const std::string& id : ids) {
    EXPECT_FALSE(fs::exists(fmt::format("/dev/shm/lacuna-{}-{}", ::geteuid(), id)));
  }
}

}  // namespace
}  // namespace lacuna::tests

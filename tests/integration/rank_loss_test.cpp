// Ranks that are stopped, killed or stuck in a real two-rank training: named within the limits, and
// every process leaves.
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "coordinator/http/http_client.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::minutes(3);

class RankLossTest : public ::testing::Test {
 protected:
  static const fs::path& cache() {
    static const TemporaryDirectory directory;
    static const fs::path path = [] {
      const std::string in = (directory / "in").string(), out = (directory / "cache").string();
      EXPECT_EQ(run_program("phantom --quiet --cases 8 --size 40,48,48 --out " + in).code, 0);
      EXPECT_EQ(run_program("ingest --quiet --in " + in + " --out " + out).code, 0);
      return fs::path(out);
    }();
    return path;
  }

  // Two ranks that train for ever, with limits of seconds.
  void start(const fs::path& data = cache(), double stall_limit = 60) {
    const Json run = {
        {"method", "unet"},
        {"data", {{"cache", data.string()}, {"patch", {32, 32, 32}}, {"loader_threads", 1}}},
        {"model", {{"width", 0.0625}}},
        {"train", {{"steps", 1'000'000}, {"batch", 2}, {"threads", 1}, {"device", "cpu"}}},
        {"validate", {{"every", 0}}},
        {"log", {{"every", 1}}},
        {"monitor",
         {{"heartbeat_seconds", 0.2}, {"heartbeat_limit", 4}, {"stall_limit", stall_limit}}}};
    std::ofstream(directory_ / "run.json") << run.dump();
    launcher_ = ::fork();
    if (launcher_ != 0) return;
    const std::string command =
        "export OMPI_MCA_mpi_yield_when_idle=1 OMPI_ALLOW_RUN_AS_ROOT=1 "
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; exec mpirun -n 2 --oversubscribe --bind-to none "
        "\"$LACUNA_PROGRAM\" train " +
        (directory_ / "run.json").string() + " --quiet --out " + out().string() + " >" +
        (directory_ / "log").string() + " 2>&1";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }

  void TearDown() override {
    if (launcher_ > 0 && ::waitpid(launcher_, nullptr, WNOHANG) == 0) {
      ::kill(launcher_, SIGKILL);
      ::waitpid(launcher_, nullptr, 0);
    }
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  }

  // The status once `ready` says so.
  template <typename Ready>
  Json status_when(const Ready& ready) {
    const auto until = Clock::now() + kPatience;
    while (Clock::now() < until) {
      if (fs::exists(out() / "coordinator.json")) {
        const auto shown = run_program("monitor --json " + out().string());
        Json status = Json::parse(shown.out, nullptr, false);
        if (status.is_object() && status.value("source", "") == "server" && ready(status)) {
          for (const Json& rank : status.at("ranks")) pids_.push_back(rank.at("pid"));
          return status;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << "never ready: " << log();
    return {{"ranks", {{{"pid", 0}}, {{"pid", 0}}}}};
  }
  Json running() {
    return status_when([](const Json& status) {
      return status.at("step") >= 3 && status.at("ranks").at(1).at("step") >= 3;
    });
  }

  // The launcher's exit code; fails when it or a rank lives on.
  int code() {
    int status = 0;
    const auto until = Clock::now() + kPatience;
    while (::waitpid(launcher_, &status, WNOHANG) == 0) {
      if (Clock::now() > until) {
        ADD_FAILURE() << "hangs: " << log();
        return -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    launcher_ = 0;
    for (const pid_t pid : pids_) {
      while (::kill(pid, 0) == 0 && Clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      EXPECT_NE(::kill(pid, 0), 0) << "process " << pid << " lives on";
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  fs::path out() const { return directory_ / "out"; }
  std::string log() const {
    std::ifstream file(directory_ / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Json lost() const {
    std::ifstream file(out() / "events.jsonl");
    for (std::string line; std::getline(file, line);) {
      const Json event = Json::parse(line, nullptr, false);
      if (event.is_object() && event.value("event", "") == "peer_lost") return event;
    }
    return nullptr;
  }

  TemporaryDirectory directory_;
  pid_t launcher_ = 0;
  std::vector<pid_t> pids_;
};

TEST_F(RankLossTest, AStoppedRankIsNamedAndAllLeaveWith76) {
  start();
  const Json status = running();
  ::kill(status.at("ranks").at(1).at("pid").get<pid_t>(), SIGSTOP);
  EXPECT_EQ(code(), 76) << log();
  const Json event = lost();
  ASSERT_TRUE(event.is_object()) << log();
  EXPECT_EQ(event.at("rank"), 1);
  EXPECT_EQ(event.at("cause"), "stopped");
  EXPECT_THAT(log(), HasSubstr("rank 1 (host "));
  EXPECT_FALSE(fs::exists(out() / "coordinator.json"));
}

TEST_F(RankLossTest, AStoppedRankZeroIsNamedByTheOthers) {
  start();
  const Json status = running();
  ::kill(status.at("ranks").at(0).at("pid").get<pid_t>(), SIGSTOP);
  EXPECT_EQ(code(), 76) << log();
  EXPECT_THAT(log(), HasSubstr("rank 0 (host "));
  EXPECT_THAT(log(), HasSubstr("its process is stopped"));
}

TEST_F(RankLossTest, AfterAKillNobodyStays) {
  start();
  const Json status = running();
  ::kill(status.at("ranks").at(1).at("pid").get<pid_t>(), SIGKILL);
  // mpirun sees the signal before any heartbeat is missed: 128 + 9 is its own report of it. Under
  // a launcher that does not look, the watch ends the others with 76.
  EXPECT_THAT(code(), ::testing::AnyOf(76, 137)) << log();
}

// A file system that does not answer, as a named pipe that nobody writes to: opening the case waits
// for ever in the kernel, like a read from a dead server.
TEST_F(RankLossTest, AReadThatNeverReturnsIsNamed) {
  const fs::path data = directory_ / "cache";
  fs::copy(cache(), data, fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(data / "cases")) {
    fs::remove(entry.path());
    ASSERT_EQ(::mkfifo(entry.path().c_str(), 0600), 0);
  }
  start(data, 3);
  EXPECT_EQ(code(), 76) << log();
  const Json event = lost();
  ASSERT_TRUE(event.is_object()) << log();
  EXPECT_EQ(event.at("cause"), "stuck");
}

TEST_F(RankLossTest, AStopRequestedThroughTheServerSavesOnAllRanksAndEndsWith75) {
  start();
  running();
  const Json place = Json::parse(std::ifstream(out() / "coordinator.json"));
  std::string token;
  std::ifstream(out() / "coordinator.token") >> token;
  coordinator::HttpClient client("127.0.0.1", place.at("port"), token);
  EXPECT_EQ(client.request("POST", "/api/stop", "", 60).status, 202);
  EXPECT_EQ(code(), 75) << log();
  EXPECT_FALSE(fs::exists(out() / "coordinator.json"));
  EXPECT_FALSE(fs::exists(out() / "coordinator.token"));
}

}  // namespace
}  // namespace lacuna::tests

// The supervisor with a shell script in the place of mpirun: what it does when the ranks end.
#include "coordinator/supervisor/supervisor.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files/held_error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/base/fake_clock.h"

namespace lacuna::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakeSignals final : public SignalSource {
 public:
  int pending() const override { return arrived_ && arrived_() ? SIGTERM : 0; }
  std::function<bool()> arrived_;
};

class SupervisorTest : public ::testing::Test {
 protected:
  // `script` runs in the run directory with $n = attempts before it.
  ExitCode supervise(const std::string& script) {
    SupervisorParts parts;
    parts.launch = [&, script](const Attempt& attempt) {
      started_with_.push_back(attempt.ranks);
      const std::string line = fmt::format("cd '{}'; n={}; {}", folder_.path().string(),
                                           started_with_.size() - 1, script);
      return ChildOptions{{"sh", "-c", line}, attempt.environment};
    };
    parts.newest_step = [&] {
      std::ifstream file(folder_ / "step");
      std::int64_t step = -1;
      return file >> step ? step : -1;
    };
    parts.ranks_after_loss = [&](int ranks) { return fewer_ ? ranks - 1 : ranks; };
    parts.sleep = [&](double seconds) {
      pauses_.push_back(seconds);
      clock_.advance(seconds);
    };
    parts.signals = &signals_;
    parts.clock = clock_in_use_;
    return Supervisor(folder_.path(), options_, parts).run();
  }

  std::vector<std::string> events() const {
    std::vector<std::string> kinds;
    for (const Json& line : lines()) kinds.push_back(line.at("event"));
    return kinds;
  }
  std::vector<Json> lines() const {
    std::vector<Json> all;
    std::ifstream file(folder_ / "supervisor.jsonl");
    for (std::string line; std::getline(file, line);) all.push_back(Json::parse(line));
    return all;
  }
  bool exists(const char* name) const { return std::filesystem::exists(folder_ / name); }

  const TemporaryDirectory folder_;
  SupervisorOptions options_;
  FakeClock clock_;
  const Clock* clock_in_use_ = &clock_;
  FakeSignals signals_;
  bool fewer_ = false;
  std::vector<double> pauses_;
  std::vector<int> started_with_;
};

TEST_F(SupervisorTest, CodesOfTheContractEndItAtOnce) {
  for (const int code : {0, 1, 2, 75, 77}) {
    EXPECT_EQ(static_cast<int>(supervise(fmt::format("exit {}", code))), code);
  }
  EXPECT_EQ(started_with_.size(), 5u);
  EXPECT_THAT(pauses_, IsEmpty());
}

TEST_F(SupervisorTest, AfterALossItStartsAgainAndTellsTheRanks) {
  EXPECT_EQ(supervise("echo $n $LACUNA_RUN_ID >>told; [ $n = 2 ] || "
                      "{ echo $n >step; [ $n = 0 ] && exit 76; kill -9 $$; }"),
            ExitCode::kDone);
  std::ifstream told(folder_ / "told");
  const std::string text{std::istreambuf_iterator<char>(told), {}};
  const std::string id = run_id(folder_.path());
  EXPECT_EQ(text, fmt::format("0 {0}\n1 {0}\n2 {0}\n", id));
  EXPECT_THAT(pauses_, ElementsAre(1, 2));
  EXPECT_THAT(started_with_, ElementsAre(2, 2, 2));
  EXPECT_THAT(events(), ElementsAre("start", "lost", "start", "lost", "start", "end"));
  EXPECT_EQ(lines()[1].at("code"), 76);
  EXPECT_EQ(lines()[1].at("step"), 0);
  EXPECT_EQ(lines()[3].at("code"), 137);
  EXPECT_EQ(lines()[4].at("restarts"), 2);
  EXPECT_EQ(lines()[0].at("time"), "2023-11-14T22:13:20Z");  // the fake clock's 1 700 000 000
}

TEST_F(SupervisorTest, ALossNamesTheRankThatTheLauncherNamed) {
  supervise(
      "echo 'mpirun noticed that process rank 1 with PID 7 on node n2 exited on signal 11 "
      "(Segmentation fault).' >&2; exit 139");
  EXPECT_EQ(lines()[1].at("reason"), "rank 1 on n2 was killed by signal 11 (Segmentation fault)");
}

TEST_F(SupervisorTest, TheCodeOfTheFirstRankCountsWhenSrunKillsTheOthersAfterIt) {
  const std::string then_killed = "echo 'srun: error: n1: task 0: Terminated' >&2; exit 143";
  for (const int code : {75, 77}) {
    EXPECT_EQ(static_cast<int>(supervise(
                  fmt::format("echo 'srun: error: n2: task 1: Exited with exit code {}' >&2; {}",
                              code, then_killed))),
              code);
  }
  EXPECT_EQ(started_with_.size(), 2u);
}

TEST_F(SupervisorTest, TwoLossesWithoutANewCheckpointEndIt) {
  EXPECT_EQ(supervise("exit 76"), ExitCode::kPeerLost);
  EXPECT_THAT(started_with_, ElementsAre(2, 2));
  EXPECT_THAT(events(), ElementsAre("start", "lost", "start", "lost", "give_up"));
  EXPECT_THAT(lines().back().at("reason").get<std::string>(),
              HasSubstr("two losses without a new checkpoint"));
}

TEST_F(SupervisorTest, ProgressBetweenLossesCountsAfresh) {
  // Losses 0 and 2 bring no checkpoint, loss 1 does.
  EXPECT_EQ(supervise("[ $n = 3 ] && exit 0; [ $n = 1 ] && echo 7 >step; exit 76"),
            ExitCode::kDone);
  EXPECT_EQ(started_with_.size(), 4u);
}

TEST_F(SupervisorTest, RestartsAreLimitedAndPausesGrowToAMinute) {
  options_.max_restarts = 8;
  EXPECT_EQ(supervise("echo $n >step; exit 76"), ExitCode::kPeerLost);
  EXPECT_THAT(pauses_, ElementsAre(1, 2, 4, 8, 16, 32, 60, 60));
  EXPECT_THAT(lines().back().at("reason").get<std::string>(), HasSubstr("8 restarts"));
  options_.max_restarts = 0;
  started_with_.clear();
  EXPECT_EQ(supervise("exit 76"), ExitCode::kPeerLost);
  EXPECT_EQ(started_with_.size(), 1u);
}

TEST_F(SupervisorTest, ItGoesOnWithFewerRanksWhenTold) {
  options_.ranks = 4;
  fewer_ = true;
  EXPECT_EQ(supervise("echo $n >step; [ $n = 2 ] || exit 76"), ExitCode::kDone);
  EXPECT_THAT(started_with_, ElementsAre(4, 3, 2));
}

TEST_F(SupervisorTest, ARequestToStopReachesTheRanksAsUsr2) {
  signals_.arrived_ = [&] { return exists("ready"); };
  EXPECT_EQ(supervise("trap 'exit 75' USR2; trap 'exit 1' TERM; touch ready; while :; do sleep "
                      "0.01; done"),
            ExitCode::kSavedOnRequest);
  EXPECT_THAT(events(), ElementsAre("start", "stop", "end"));
  EXPECT_EQ(lines()[1].at("signal"), "SIGTERM");
}

TEST_F(SupervisorTest, ARequestIsSentAgainToALauncherThatWasNotReady) {
  clock_in_use_ = &steady_clock();
  signals_.arrived_ = [&] { return exists("ready"); };
  EXPECT_EQ(supervise("trap 'n=$((n + 1)); [ $n = 2 ] && exit 75' USR2; touch ready; while :; do "
                      "sleep 0.01; done"),
            ExitCode::kSavedOnRequest);
}

// At 0, 1, 3, 7 and 15 s of the clock, which goes on by half a second per look.
TEST_F(SupervisorTest, ThePausesBetweenRequestsGrow) {
  options_.stop_seconds = 25;
  options_.leave_seconds = 0.1;
  signals_.arrived_ = [&] {
    if (!exists("ready")) return false;
    clock_.advance(0.25);
    return true;
  };
  EXPECT_EQ(supervise("trap 'echo x >>asked' USR2; touch ready; while :; do sleep 0.01; done"),
            ExitCode::kPeerLost);
  std::ifstream asked(folder_ / "asked");
  EXPECT_EQ(std::count(std::istreambuf_iterator<char>(asked), {}, 'x'), 5);
}

TEST_F(SupervisorTest, ARequestBeforeTheRanksCanTakeItLosesNothing) {
  signals_.arrived_ = [&] { return exists("ready"); };
  EXPECT_EQ(supervise("touch ready; exec sleep 1000"), ExitCode::kSavedOnRequest);
}

TEST_F(SupervisorTest, ARequestWhileNothingRunsEndsItWithoutAStart) {
  signals_.arrived_ = [&] { return !pauses_.empty(); };
  EXPECT_EQ(supervise("exit 76"), ExitCode::kSavedOnRequest);
  EXPECT_EQ(started_with_.size(), 1u);
}

TEST_F(SupervisorTest, RanksThatDoNotStopInTimeAreKilled) {
  clock_in_use_ = &steady_clock();
  options_.stop_seconds = 0.2;
  options_.leave_seconds = 0.1;
  signals_.arrived_ = [&] { return exists("ready"); };
  EXPECT_EQ(supervise("trap '' USR2 TERM; touch ready; while :; do sleep 0.01; done"),
            ExitCode::kPeerLost);
  EXPECT_THAT(processes_of(run_id(folder_.path())), IsEmpty());
}

// A batch system that sends SIGTERM to every process makes mpirun kill the ranks and end with 1.
TEST_F(SupervisorTest, StoppedWithoutASaveIsALossAndNotAnError) {
  signals_.arrived_ = [&] { return exists("ready"); };
  EXPECT_EQ(supervise("trap 'exit 1' USR2; touch ready; while :; do sleep 0.01; done"),
            ExitCode::kPeerLost);
  EXPECT_EQ(started_with_.size(), 1u);
}

TEST_F(SupervisorTest, WhatAnAttemptLeavesIsGoneBeforeTheNext) {
  options_.leave_seconds = 0.05;
  std::ofstream(folder_ / "step") << 0;
  // Deaf and in a group of its own, as a rank whose mpirun was killed.
  EXPECT_EQ(
      supervise("[ $n = 1 ] && { grep -qs LACUNA /proc/$(cat left)/environ && exit 1; exit 0; }; "
                "setsid sh -c 'trap \"\" TERM; echo $$ >left; sleep 1000; sleep 1000' & "
                "while [ ! -s left ]; do sleep 0.01; done; kill -9 $$"),
      ExitCode::kDone);
}

// What ranks wrote down themselves counts before the launcher's words.
TEST_F(SupervisorTest, TheNotesOfRanksSayWhoEndedItAndHow) {
  const std::string note =
      R"(printf '{"rank":%s,"host":"n2","code":%s,"signal":%s,"reason":"%s"}' )";
  const std::string mpirun =
      "echo 'mpirun noticed that process rank 0 with PID 7 on node n1 exited "
      "on signal 9 (Killed).' >&2; exit 137";
  supervise(note + "1 0 11 '' >log/rank-1.end; " + note +
            "0 76 0 'rank 1 is gone' >log/rank-0.end; " + mpirun);
  EXPECT_EQ(lines()[1].at("reason"), "rank 1 on n2 was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(lines()[1].at("code"), 139);
  // Its code ends the run, whatever the launcher makes of it; notes of the start before do not
  // count.
  EXPECT_EQ(supervise(note + "1 77 0 'diverged' >log/rank-1.end; exit 1"), ExitCode::kDiverged);
  EXPECT_EQ(supervise("exit 0"), ExitCode::kDone);
  // A rank that was killed outright leaves none, and what the others say then is no cause.
  started_with_.clear();
  std::filesystem::remove(folder_ / "supervisor.jsonl");
  supervise(note + "1 75 0 '' >log/rank-1.end; " + mpirun);
  EXPECT_EQ(lines()[1].at("reason"), "rank 0 on n1 was killed by signal 9 (Killed)");
}

TEST_F(SupervisorTest, AHeldRunEndsItWithThatCode) {
  EXPECT_EQ(static_cast<int>(supervise("exit 79")), 79);
  EXPECT_EQ(started_with_.size(), 1u);
}

TEST_F(SupervisorTest, ALauncherThatOutlivesItsRanksIsEndedAndTheirNotesCount) {
  options_.leave_seconds = 1;
  const std::string ranks = "for r in 0 1; do OMPI_COMM_WORLD_RANK=$r sleep 3 & done; sleep 3.2; ";
  const std::string note = R"(printf '{"rank":%s,"host":"","code":%s,"signal":0,"reason":""}' )";
  EXPECT_EQ(supervise(ranks + note + "0 0 >log/rank-0.end; " + note +
                      "1 0 >log/rank-1.end; trap '' TERM; while :; do sleep 0.1; done"),
            ExitCode::kDone);
  // Without notes it is a loss.
  std::filesystem::remove(folder_ / "supervisor.jsonl");
  options_.max_restarts = 0;
  EXPECT_EQ(supervise(ranks + "while :; do sleep 0.1; done"), ExitCode::kPeerLost);
  EXPECT_THAT(lines()[1].at("reason").get<std::string>(), HasSubstr("launcher lives on"));
}

TEST_F(SupervisorTest, RanksThatAreAllStoppedAreALossOneThatRunsIsNot) {
  options_.leave_seconds = 1;
  options_.stopped_seconds = 2;
  options_.max_restarts = 0;
  const auto stopped = [](const char* which) {
    return fmt::format(
        "for r in 0 1; do OMPI_COMM_WORLD_RANK=$r sleep 9 & echo $! >pid$r; done; "
        // A copy of the shell that is stopped before it becomes `sleep` shows no rank yet.
        "for r in 0 1; do until grep -q sleep /proc/$(cat pid$r)/comm; do sleep 0.01; done; done; "
        "for r in {}; do kill -STOP $(cat pid$r); done; ",
        which);
  };
  EXPECT_EQ(supervise(stopped("0 1") + "wait"), ExitCode::kPeerLost);
  EXPECT_THAT(lines()[1].at("reason").get<std::string>(), HasSubstr("stopped (SIGSTOP)"));
  EXPECT_EQ(supervise(stopped("1") + "sleep 6; kill -CONT $(cat pid1); exit 0"), ExitCode::kDone);
}

TEST_F(SupervisorTest, ASecondOneInTheSameDirectoryIsRefused) {
  const SupervisorLog first(folder_.path(), clock_);
  EXPECT_THROW(supervise("exit 0"), HeldError);
  EXPECT_THAT(started_with_, IsEmpty());
}

TEST_F(SupervisorTest, AHundredAndNinetyCyclesLeaveNothing) {
  std::string scratch;
  for (int i = 0; i < 190; ++i) ASSERT_EQ(supervise("exit 0"), ExitCode::kDone);
  EXPECT_THAT(processes_of(run_id(folder_.path())), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(
      fmt::format("/dev/shm/lacuna-{}-{}", ::geteuid(), run_id(folder_.path()))));
  // Descriptors: standard streams and what the test program itself holds.
  EXPECT_LT(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                          std::filesystem::directory_iterator()),
            20);
}

}  // namespace
}  // namespace lacuna::coordinator

#include "coordinator/watch/rank_watch.h"

#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/base/fake_clock.h"

namespace lacuna::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Ranks 0 and 1 on host a, rank 2 on host b, whose trainers beat unless a test stops them.
class RankWatchTest : public ::testing::Test {
 protected:
  struct Rank {
    std::string host;
    std::int64_t step = 0, beats = 0;
    Activity activity = Activity::kComputing;
    RankEnd end = RankEnd::kRunning;
    bool silent = false, stuck = false;
    int waits_for = -1;
  };

  RankWatchTest() {
    for (long pid : {100, 101, 102}) states_[pid] = 'S';
  }

  // One interval: heartbeats of all, then the check.
  std::optional<Verdict> tick(double seconds = 1) {
    clock_.advance(seconds);
    for (int i = 0; i < 3; ++i) {
      Rank& rank = ranks_[static_cast<std::size_t>(i)];
      if (rank.silent) continue;
      if (!rank.stuck) ++rank.beats;
      watch_.hear({i,
                   rank.host,
                   100 + i,
                   {rank.step, rank.activity, 0, rank.beats, rank.waits_for},
                   rank.end});
    }
    return watch_.check();
  }

  std::optional<Verdict> ticks(int count) {
    for (int i = 0; i < count; ++i) {
      if (auto verdict = tick()) return verdict;
    }
    return std::nullopt;
  }

  // Steps of two seconds, so that the first steps are behind.
  void warm_up() {
    for (int step = 1; step <= 5; ++step) {
      for (Rank& rank : ranks_) rank.step = step;
      ASSERT_FALSE(ticks(2));
    }
  }

  void wait_for_others(int rank) {
    ranks_[static_cast<std::size_t>(rank)].activity = Activity::kWaiting;
    ranks_[static_cast<std::size_t>(rank)].stuck = true;
  }
  void hang(int rank, Activity activity) {
    ranks_[static_cast<std::size_t>(rank)].activity = activity;
    ranks_[static_cast<std::size_t>(rank)].stuck = true;
  }

  FakeClock clock_;
  std::map<long, char> states_;
  std::vector<Rank> ranks_{{"a"}, {"a"}, {"b"}};
  RankWatch watch_{3, {1, 30, 60}, "a", clock_, [this](long pid) {
                     const auto found = states_.find(pid);
                     return found == states_.end() ? '\0' : found->second;
                   }};
};

TEST_F(RankWatchTest, RanksThatGetOnAreLeftAlone) {
  warm_up();
  EXPECT_FALSE(ticks(1000));
  EXPECT_DOUBLE_EQ(watch_.median_step_seconds(), 2);
}

TEST_F(RankWatchTest, AStoppedRankIsNamedAfterTheLimitAndNotBefore) {
  warm_up();
  ranks_[1].silent = true;
  states_[101] = 'T';
  wait_for_others(0);
  wait_for_others(2);
  ASSERT_FALSE(ticks(30));
  const auto verdict = tick();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
  EXPECT_EQ(verdict->cause, "stopped");
  for (const char* part :
       {"rank 1", "host a", "pid 101", "step 5", "computing", "31 s", "kill -CONT 101"}) {
    EXPECT_THAT(verdict->text, HasSubstr(part));
  }
}

TEST_F(RankWatchTest, AKilledRankOfThisHostIsNamedWithinAFewIntervals) {
  warm_up();
  ranks_[1].silent = true;
  states_.erase(101);
  ASSERT_FALSE(ticks(3));  // its last words may be on the way
  const auto verdict = ticks(2);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
  EXPECT_EQ(verdict->cause, "killed");
}

// In a container its process is not to be seen: that it is not there says nothing.
TEST_F(RankWatchTest, AProcessThatWasNeverSeenDoesNotCountAsKilled) {
  states_.erase(101);
  warm_up();
  ranks_[1].silent = true;
  ASSERT_FALSE(ticks(30));
  const auto verdict = tick();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
  EXPECT_EQ(verdict->cause, "silent");
}

TEST_F(RankWatchTest, OfSeveralSilentRanksTheFirstIsNamedAndTheOthersAreCounted) {
  warm_up();
  ranks_[2].silent = true;
  ASSERT_FALSE(ticks(5));
  ranks_[1].silent = true;
  states_[101] = 'T';
  ASSERT_FALSE(ticks(25));
  const auto first = tick();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->rank, 2);
  EXPECT_THAT(first->text, Not(HasSubstr("more are silent")));
  std::optional<Verdict> later;
  for (int i = 0; i < 6; ++i) later = tick();
  ASSERT_TRUE(later);
  EXPECT_EQ(later->rank, 2);
  EXPECT_THAT(later->text, HasSubstr("(1 more are silent as well)"));
}

TEST_F(RankWatchTest, SoItIsWhenTheFirstHasTheLowestNumber) {
  warm_up();
  ranks_[0].silent = true;
  ASSERT_FALSE(ticks(5));
  ranks_[2].silent = true;
  std::optional<Verdict> verdict;
  for (int i = 0; i < 32; ++i) verdict = tick();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 0);
  EXPECT_THAT(verdict->text, HasSubstr("(1 more are silent as well)"));
}

TEST_F(RankWatchTest, OfARankElsewhereOnlyTheSilenceIsKnown) {
  warm_up();
  ranks_[2].silent = true;
  states_.erase(102);  // a process id of this host says nothing about host b
  ASSERT_FALSE(ticks(30));
  const auto verdict = tick();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2);
  EXPECT_EQ(verdict->cause, "silent");
  EXPECT_THAT(verdict->text, HasSubstr("host b"));
}

TEST_F(RankWatchTest, ARankThatNeverSpeaksIsNamedOnceTheOthersWaitForTooLong) {
  ranks_[2].silent = true;
  wait_for_others(0);
  ASSERT_FALSE(ticks(59));
  const auto verdict = ticks(4);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2);
  EXPECT_EQ(verdict->cause, "silent");
  EXPECT_THAT(verdict->text, HasSubstr("no heartbeat since the start"));
}

// A firewall keeps its heartbeats away, and it trains with the others all the same.
TEST_F(RankWatchTest, ARankThatIsNeverHeardIsToldOfWhileTheOthersGetOn) {
  ranks_[2].silent = true;
  ASSERT_FALSE(ticks(30));
  EXPECT_THAT(watch_.unheard(), ::testing::IsEmpty());
  for (int step = 1; step <= 500; ++step) {
    ranks_[0].step = ranks_[1].step = step;
    ranks_[0].activity = step % 2 ? Activity::kWaiting : Activity::kComputing;
    ASSERT_FALSE(ticks(2));
  }
  EXPECT_THAT(watch_.unheard(), ::testing::ElementsAre(2));
  ranks_[0].end = ranks_[1].end = RankEnd::kDone;
  ASSERT_FALSE(tick());
  EXPECT_TRUE(watch_.all_ended(0));  // rank 2's last words will not come
}

TEST_F(RankWatchTest, AHungReadIsNamedAndNotTheRanksThatWaitForIt) {
  warm_up();
  ranks_[1].step = 4;
  hang(1, Activity::kWaitingForData);
  wait_for_others(0);
  wait_for_others(2);
  ASSERT_FALSE(ticks(58));
  const auto verdict = ticks(4);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
  EXPECT_EQ(verdict->cause, "stuck");
  EXPECT_THAT(verdict->text, HasSubstr("stuck in a read"));
}

TEST_F(RankWatchTest, TheKernelWaitingForADiskIsSaid) {
  warm_up();
  hang(1, Activity::kWaitingForData);
  states_[101] = 'D';
  const auto verdict = ticks(70);
  ASSERT_TRUE(verdict);
  EXPECT_THAT(verdict->text, HasSubstr("state D"));
}

// Between its computations a rank writes metrics and logs: the device is not the only suspect.
TEST_F(RankWatchTest, InStateDTheDiskIsASuspectWhateverTheRankDoes) {
  warm_up();
  hang(1, Activity::kUpdating);
  auto verdict = ticks(61);
  ASSERT_TRUE(verdict);
  EXPECT_THAT(verdict->text, HasSubstr("Look at the device"));
  states_[101] = 'D';
  verdict = tick();
  ASSERT_TRUE(verdict);
  EXPECT_THAT(verdict->text, HasSubstr("Look at the storage of the run directory"));
}

TEST_F(RankWatchTest, OfSeveralHungRanksTheOneWithTheFewestStepsIsNamed) {
  warm_up();
  for (int i : {0, 1, 2}) hang(i, Activity::kComputing);
  ranks_[2].step = 6;
  ranks_[0].step = 6;
  const auto verdict = ticks(70);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
}

TEST_F(RankWatchTest, LongValidationsAndSavesHaveThreeTimesTheTime) {
  for (const Activity activity : {Activity::kValidating, Activity::kSaving}) {
    warm_up();
    hang(0, activity);
    wait_for_others(1);
    wait_for_others(2);
    EXPECT_FALSE(ticks(175)) << activity_name(activity);
    for (Rank& rank : ranks_) rank.stuck = false;
    ASSERT_FALSE(tick());
  }
  hang(0, Activity::kSaving);
  const auto verdict = ticks(185);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 0);
  EXPECT_THAT(verdict->text, HasSubstr("a save does not end"));
}

TEST_F(RankWatchTest, TheFirstStepsHaveThreeTimesTheTime) {
  hang(1, Activity::kStarting);
  ASSERT_FALSE(ticks(175));
  const auto verdict = ticks(10);
  ASSERT_TRUE(verdict);
  EXPECT_THAT(verdict->text, HasSubstr("has not begun its first step"));
}

// Its first two steps count as the start, whatever it does then: memory is claimed, kernels chosen.
TEST_F(RankWatchTest, SoDoesTheFirstStepItself) {
  hang(1, Activity::kComputing);
  ASSERT_FALSE(ticks(175));
  const auto verdict = ticks(10);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
}

// The step of a checkpoint is reached in no time: that is no speed.
TEST_F(RankWatchTest, TheJumpToACheckpointsStepIsNoStepTime) {
  ASSERT_FALSE(ticks(20));
  for (Rank& rank : ranks_) rank.step = 5000;
  ASSERT_FALSE(ticks(40));
  EXPECT_EQ(watch_.median_step_seconds(), 0);
  for (Rank& rank : ranks_) rank.step = 5001;
  ASSERT_FALSE(tick());
  EXPECT_DOUBLE_EQ(watch_.median_step_seconds(), 40);
}

TEST_F(RankWatchTest, SeveralStepsBetweenHeartbeatsShareTheTime) {
  for (int beat = 1; beat <= 5; ++beat) {
    for (Rank& rank : ranks_) rank.step = 10 * beat;
    ASSERT_FALSE(tick());
  }
  EXPECT_DOUBLE_EQ(watch_.median_step_seconds(), 0.1);
}

TEST_F(RankWatchTest, ARankThatHasFinishedIsNotStuck) {
  warm_up();
  hang(1, Activity::kFinished);
  EXPECT_FALSE(ticks(1000));
}

TEST_F(RankWatchTest, FurthestBehindIsOneThatStillRuns) {
  warm_up();
  ranks_[1].step = 4;
  ASSERT_FALSE(tick());
  ranks_[1].end = RankEnd::kDone;
  for (int i : {0, 2}) wait_for_others(i);
  ranks_[0].step = 7;
  ranks_[2].step = 6;
  const auto verdict = ticks(70);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->cause, "deadlock");
  EXPECT_THAT(verdict->text, HasSubstr("furthest behind: rank 2"));
}

TEST_F(RankWatchTest, SlowStepsRaiseTheLimit) {
  for (int step = 1; step <= 5; ++step) {  // 10 s each: the limit is 200 s
    for (Rank& rank : ranks_) rank.step = step;
    ASSERT_FALSE(ticks(10));
  }
  EXPECT_DOUBLE_EQ(watch_.median_step_seconds(), 10);
  hang(1, Activity::kComputing);
  EXPECT_FALSE(ticks(195));
  EXPECT_TRUE(ticks(10));
}

TEST_F(RankWatchTest, WhenAllWaitForOneAnotherNobodyIsBlamed) {
  warm_up();
  for (int i : {0, 1, 2}) wait_for_others(i);
  ASSERT_FALSE(ticks(58));
  const auto verdict = ticks(4);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, -1);
  EXPECT_EQ(verdict->cause, "deadlock");
}

// Whatever they wait for, and for however long: the sum of gradients, a score, a meta phase.
TEST_F(RankWatchTest, RanksThatWaitForOneThatWorksAreNeverBlamed) {
  warm_up();
  wait_for_others(0);
  wait_for_others(1);
  ranks_[2].activity = Activity::kValidating;  // beats at every case
  EXPECT_FALSE(ticks(10'000));
  EXPECT_EQ(watch_.report().at(1).at("waits_for"), Json());
  ranks_[0].waits_for = 2;
  ASSERT_FALSE(tick());
  EXPECT_EQ(watch_.report().at(0).at("waits_for"), 2);
  ranks_[2].stuck = true;
  const auto verdict = ticks(200);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2);
}

// A trainer waits for the validation rank, which waits for a job: the job is lost.
TEST_F(RankWatchTest, WaitingForARankWithoutWorkIsADeadlockThatNamesBoth) {
  warm_up();
  wait_for_others(0);
  wait_for_others(1);
  ranks_[0].waits_for = ranks_[1].waits_for = 2;
  hang(2, Activity::kIdle);
  ASSERT_FALSE(ticks(58));
  const auto verdict = ticks(4);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->cause, "deadlock");
  EXPECT_THAT(verdict->text, HasSubstr("rank 0 (host a, pid 100), step 5, waiting for rank 2"));
}

TEST_F(RankWatchTest, ARankWithoutWorkIsNeverStuck) {
  warm_up();
  hang(2, Activity::kIdle);
  EXPECT_FALSE(ticks(1000));
  wait_for_others(0);
  hang(1, Activity::kComputing);
  const auto verdict = ticks(70);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
}

TEST_F(RankWatchTest, APauseOfTheWatchItselfCountsAgainstNobody) {
  warm_up();
  for (Rank& rank : ranks_) rank.silent = true;  // their heartbeats wait in the sockets
  EXPECT_FALSE(tick(500));
  for (Rank& rank : ranks_) rank.silent = false;
  EXPECT_FALSE(ticks(50));
  ranks_[2].silent = true;
  EXPECT_TRUE(ticks(32));
}

TEST_F(RankWatchTest, ARankThatEndedWellIsNotMissed) {
  warm_up();
  ranks_[1].end = RankEnd::kDone;
  ASSERT_FALSE(tick());
  ranks_[1].silent = true;
  states_.erase(101);
  EXPECT_FALSE(ticks(100));
  EXPECT_FALSE(watch_.all_ended(0));
  ranks_[2].end = RankEnd::kDone;
  ASSERT_FALSE(tick());
  EXPECT_TRUE(watch_.all_ended(0));
}

// The launcher ends the others by then; where there is none that does, they must not hang.
TEST_F(RankWatchTest, ARankThatFailedIsNamedAfterTheLimit) {
  warm_up();
  ranks_[1].end = RankEnd::kFailed;
  ASSERT_FALSE(tick());
  ranks_[1].silent = true;
  states_.erase(101);
  ASSERT_FALSE(ticks(29));
  const auto verdict = ticks(3);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->cause, "failed");
}

TEST_F(RankWatchTest, AStallLimitOfZeroJudgesNoStall) {
  RankWatch watch(1, {1, 30, 0}, "a", clock_, [](long) { return 'S'; });
  for (int i = 0; i < 100'000; ++i) {
    clock_.advance(1);
    watch.hear({0, "a", 1, {5, Activity::kWaitingForData, 0, 7}, RankEnd::kRunning});
    ASSERT_FALSE(watch.check());
  }
}

TEST_F(RankWatchTest, AHeartbeatOfNoRankIsRefused) {
  EXPECT_THROW(watch_.hear({3, "a", 1, {}, RankEnd::kRunning}), DataError);
  EXPECT_THROW(watch_.hear({-1, "a", 1, {}, RankEnd::kRunning}), DataError);
}

}  // namespace
}  // namespace lacuna::coordinator

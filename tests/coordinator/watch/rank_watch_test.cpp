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

// Ranks 0 and 1 on host a, rank 2 on host b, whose trainers beat unless a test stops them.
class RankWatchTest : public ::testing::Test {
 protected:
  struct Rank {
    std::string host;
    std::int64_t step = 0, beats = 0;
    Activity activity = Activity::kComputing;
    RankEnd end = RankEnd::kRunning;
    bool silent = false, stuck = false;
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
      watch_.hear({i, rank.host, 100 + i, {rank.step, rank.activity, 0, rank.beats}, rank.end});
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
    ranks_[static_cast<std::size_t>(rank)].activity = Activity::kReducing;
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
  const auto verdict = ticks(5);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 1);
  EXPECT_EQ(verdict->cause, "killed");
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

TEST_F(RankWatchTest, ARankThatNeverSpeaksIsNamed) {
  ranks_[2].silent = true;
  const auto verdict = ticks(32);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2);
  EXPECT_THAT(verdict->text, HasSubstr("no heartbeat since the start"));
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

TEST_F(RankWatchTest, ARankThatHasFinishedButDoesNotEndIsStuck) {
  warm_up();
  hang(2, Activity::kFinished);
  ASSERT_FALSE(ticks(58));
  const auto verdict = ticks(4);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rank, 2);
  EXPECT_THAT(verdict->text, HasSubstr("does not end"));
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

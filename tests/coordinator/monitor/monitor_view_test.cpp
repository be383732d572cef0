#include "coordinator/monitor/monitor_view.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "coordinator/status/run_status.h"
#include "tests/base/fake_clock.h"

namespace lacuna::coordinator {
namespace {

using ::testing::HasSubstr;

Json many_ranks(int count) {
  Json ranks = Json::array();
  for (int i = 0; i < count; ++i) {
    ranks.push_back({{"rank", i},
                     {"host", "n1"},
                     {"pid", 1},
                     {"step", 5},
                     {"activity", "computing"},
                     {"heard", true},
                     {"heartbeat_age", i == 77 ? 40.0 : 0.5},
                     {"end", ""},
                     {"seconds_in_activity", 0.2}});
  }
  return ranks;
}

std::string text_of(const std::vector<ViewLine>& lines) {
  std::string text;
  for (const ViewLine& line : lines) text += line.text + "\n";
  return text;
}

TEST(Sparkline, ScalesFromTheLowestToTheHighestOfTheNewest) {
  EXPECT_EQ(sparkline({9, 0, 7, 3.5}, 3), "▁█▅");  // 3.5 of 7 steps is 0.5 * 7 = 3.5, rounded up
  EXPECT_EQ(sparkline({1, std::numeric_limits<double>::quiet_NaN(), 2}, 10), "▁ █");
  EXPECT_EQ(sparkline({}, 10), "");
}

TEST(Sparkline, HasAFormForTerminalsWithoutUnicode) {
  EXPECT_EQ(sparkline({0, 7, 3.5}, 3, false), "_#~");
}

TEST(MonitorView, FitsTheTerminalAndKeepsRanksInTrouble) {
  const Json status = {{"run", "first"}, {"step", 50}, {"steps", 200}, {"ranks", many_ranks(100)}};
  const auto lines = monitor_view(status, "", {80, 24});
  EXPECT_LE(lines.size(), 24U);
  const std::string text = text_of(lines);
  EXPECT_THAT(text, HasSubstr("step 50 of 200 (25.0 %)"));
  EXPECT_THAT(text, HasSubstr("  77  n1"));
  EXPECT_THAT(text, HasSubstr("silent 40 s"));
  EXPECT_THAT(text, HasSubstr("more"));
}

TEST(MonitorView, InANarrowWindowTheStateOfARankIsStillThere) {
  const Json status = {{"run", "first"},
                       {"step", 50},
                       {"steps", 200},
                       {"eta_seconds", 75.0},
                       {"ranks", many_ranks(2)},
                       {"seconds_per_step", 0.5},
                       {"losses", {{"dice", 0.5}}}};
  const std::string narrow = text_of(monitor_view(status, "", {50, 15, false}));
  EXPECT_THAT(narrow, HasSubstr("0        5  computing              0.2 s  ok\n"));
  EXPECT_THAT(narrow, HasSubstr("1 min 15 s left"));
  EXPECT_THAT(narrow, Not(HasSubstr("n1")));
  EXPECT_THAT(narrow, Not(HasSubstr("dice")));
  const std::string wide = text_of(monitor_view(status, "", {200, 50, false}));
  EXPECT_THAT(wide, HasSubstr("n1           1        5  computing"));
  EXPECT_THAT(wide, HasSubstr("##########.............................."));  // 25 % of 40
}

TEST(MonitorView, WarningsAreShownWhole) {
  const std::string text =
      "Rank 3 on a-host-with-a-long-name is silent 2 min 10 s (step 5, computing).";
  const auto lines = monitor_view({{"run", "first"}, {"warnings", {text}}}, "", {40, 24});
  std::string joined;
  for (const ViewLine& line : lines) {
    if (line.style == LineStyle::kAlarm) joined += (joined.empty() ? "" : " ") + line.text;
  }
  EXPECT_EQ(joined, text);
}

TEST(MonitorView, NothingInAStatusControlsTheTerminal) {
  const Json status = {{"run", "a\x1b[2J\nb"}, {"step", 1}};
  EXPECT_THAT(text_of(monitor_view(status, "", {80, 24})), HasSubstr("a?[2J?b"));
}

// Speed from the positions between the first and the last: 8 steps in 16 s; 90 steps are left.
TEST(RunStatusTest, RemainingTimeComesFromTheSpeedOfThisProcess) {
  const TemporaryDirectory directory;
  FakeClock clock;
  RunStatus status(directory.path(), clock);
  status.publish("plan", {{"steps", 100}});
  status.publish("event", {{"event", "resume"}, {"step", 1}});
  clock.advance(7);
  for (std::int64_t step = 2; step <= 10; ++step) {
    status.position(step - 1);
    clock.advance(2);
  }
  status.position(10);
  const Json now = status.status();
  EXPECT_EQ(now.at("step"), 10);
  EXPECT_DOUBLE_EQ(now.at("seconds_per_step").get<double>(), 2);
  EXPECT_DOUBLE_EQ(now.at("eta_seconds").get<double>(), 180);
}

// One slow step among few (memory is claimed, a first validation) does not decide the time left.
TEST(RunStatusTest, AmongFewStepsOneSlowOneDoesNotDecideTheRemainingTime) {
  const TemporaryDirectory directory;
  FakeClock clock;
  RunStatus status(directory.path(), clock);
  status.publish("plan", {{"steps", 100}});
  status.publish("event", {{"event", "start"}, {"step", 0}});
  for (std::int64_t step = 0; step <= 6; ++step) {
    status.position(step);
    clock.advance(step == 0 ? 30 : step == 3 ? 200 : 2);
  }
  EXPECT_DOUBLE_EQ(status.status().at("seconds_per_step").get<double>(), 2);
}

// A run that saves often must not lose sight of its restarts.
TEST(RunStatusTest, CheckpointsDoNotPushOutOtherEvents) {
  const TemporaryDirectory directory;
  FakeClock clock;
  RunStatus status(directory.path(), clock);
  status.publish("event", {{"event", "start"}, {"step", 0}});
  for (int step = 1; step <= 500; ++step) {
    status.publish("event", {{"event", "checkpoint"}, {"step", step}});
  }
  status.publish("event", {{"event", "stop"}, {"step", 500}});
  const Json events = status.status().at("events");
  EXPECT_EQ(events.size(), 22U);
  EXPECT_EQ(events.front().at("event"), "start");
  EXPECT_EQ(events.at(20).at("step"), 500);
  EXPECT_EQ(events.back().at("event"), "stop");
}

}  // namespace
}  // namespace lacuna::coordinator

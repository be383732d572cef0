#include "coordinator/monitor_view.h"

#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/temporary_directory.h"
#include "coordinator/run_monitor.h"
#include "coordinator/run_status.h"
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

TEST(RunMonitorTest, WithoutAServerTheFilesSpeakAndTornLinesDoNotMatter) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "run.json") << R"({"method": "toy", "train": {"steps": 40}})";
  std::ofstream(directory / "metrics.jsonl")
      << R"({"step": 10, "loss": 0.9, "validation": {"score": 0.6}})"
      << "\n"
      << R"({"step": 20, "loss": 0.7, "validation": {"score": 0.5}})"
      << "\n"
      << R"({"step": 30, "lo)";
  std::ofstream(directory / "events.jsonl")
      << R"({"event": "start", "step": 0, "time": "2026-11-21T04:00:00Z"})"
      << "\n"
      << R"({"event": "checkpoint", "step": 20, "time": "2026-11-21T04:01:00Z"})"
      << "\n"
      << R"({"event": "resume", "step": 20, "time": "2026-11-21T04:02:00Z"})"
      << "\n";
  RunMonitor monitor(directory.path());
  const Sight sight = monitor.look();
  EXPECT_EQ(sight.status.at("source"), "files");
  EXPECT_THAT(sight.note, HasSubstr("No status server"));
  EXPECT_EQ(sight.status.at("step"), 20);
  EXPECT_EQ(sight.status.at("steps"), 40);
  EXPECT_EQ(sight.status.at("loss"), 0.7);
  EXPECT_EQ(sight.status.at("validation").at("score"), 0.5);
  EXPECT_EQ(sight.status.at("validation").at("best_score"), 0.6);
  EXPECT_EQ(sight.status.at("checkpoint").at("step"), 20);
  EXPECT_EQ(sight.status.at("restarts"), 1);
}

TEST(RunMonitorTest, ADirectoryWithoutARunIsAnError) {
  const TemporaryDirectory directory;
  EXPECT_THROW(RunMonitor(directory.path()), DataError);
}

}  // namespace
}  // namespace lacuna::coordinator

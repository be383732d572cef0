#include "coordinator/monitor/run_monitor.h"

#include <chrono>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/process/clock.h"
#include "base/process/host.h"
#include "coordinator/monitor/sweep_monitor.h"
#include "coordinator/monitor/sweep_view.h"
#include "coordinator/status/status_warnings.h"

namespace lacuna::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class RunFilesTest : public ::testing::Test {
 protected:
  void append(const fs::path& file, const std::string& text) const {
    fs::create_directories((directory_ / file).parent_path());
    std::ofstream(directory_ / file, std::ios::app) << text;
  }
  // A run of 40 steps that has made 20, with a checkpoint at 20 and one resume.
  void write_run(const fs::path& run = ".") const {
    append(run / "run.json",
           R"({"method": "toy", "train": {"steps": 40},
               "provenance": {"cohort": {"modalities": ["FLAIR", "T1"]}}})");
    append(run / "metrics.jsonl",
           R"({"step": 10, "loss": 0.9, "validation": {"score": 0.6, "step": 8}})"
           "\n"
           R"({"step": 20, "loss": 0.7, "validation": {"score": 0.5, "step": 18}})"
           "\n"
           R"({"step": 30, "lo)");
    append(run / "events.jsonl",
           R"({"event": "start", "step": 0, "time": "2026-11-21T04:00:00Z"})"
           "\n"
           R"({"event": "checkpoint", "step": 20, "time": "2026-11-21T04:01:00Z"})"
           "\n"
           R"({"event": "resume", "step": 20, "time": "2026-11-21T04:02:00Z"})"
           "\n");
  }
  // A lease as base/files/lease.h writes it.
  void write_lease(const std::string& host, long pid, double heartbeat_age) const {
    const double now = steady_clock().unix_seconds();
    std::ofstream(directory_ / "lease") << Json{{"host", host},
                                                {"pid", pid},
                                                {"start", now - 1000},
                                                {"heartbeat", now - heartbeat_age},
                                                {"stale_seconds", 60}};
  }
  Sight look(const fs::path& run = ".") const { return RunMonitor(directory_ / run).look(); }

  TemporaryDirectory directory_;
};

TEST_F(RunFilesTest, WithoutAServerTheFilesSpeakAndTornLinesDoNotMatter) {
  write_run();
  write_lease(host_name(), ::getpid(), 1);
  const Sight sight = look();
  EXPECT_EQ(sight.status.at("source"), "files");
  EXPECT_THAT(sight.note, HasSubstr("No status server"));
  EXPECT_EQ(sight.status.at("state"), "running");
  EXPECT_EQ(sight.status.at("step"), 20);
  EXPECT_EQ(sight.status.at("steps"), 40);
  EXPECT_EQ(sight.status.at("loss"), 0.7);
  EXPECT_EQ(sight.status.at("modalities"), Json({"FLAIR", "T1"}));
  EXPECT_EQ(sight.status.at("validation").at("score"), 0.5);
  EXPECT_EQ(sight.status.at("validation").at("step"), 18);  // that was judged
  EXPECT_EQ(sight.status.at("validation").at("best_score"), 0.6);
  EXPECT_EQ(sight.status.at("checkpoint").at("step"), 20);
  EXPECT_EQ(sight.status.at("restarts"), 1);
}

// Its token must not go to whoever listens on the same port of this host.
TEST_F(RunFilesTest, AServerOnAnotherHostsLoopbackIsNotAskedHere) {
  write_run();
  write_lease("another-host", 1, 1);
  Endpoint elsewhere;
  elsewhere.address = "127.0.0.1";
  elsewhere.port = 1;
  elsewhere.host = "another-host";
  elsewhere.pid = ::getpid();
  elsewhere.token = std::string(64, 'a');
  write_endpoint(directory_.path(), elsewhere);
  const Sight sight = look();
  EXPECT_EQ(sight.status.at("source"), "files");
  EXPECT_THAT(sight.note, HasSubstr("answers on another-host only"));
}

TEST_F(RunFilesTest, ARunWhoseProcessIsGoneIsDeadAndANoteSaysHowOneKnows) {
  write_run();
  const auto state = [&] { return look().status.at("state").get<std::string>(); };
  EXPECT_EQ(state(), "dead");  // no lease: it ended without a word
  EXPECT_THAT(look().note, HasSubstr("without a word in events.jsonl"));
  write_lease("another-host", 1, 1);
  EXPECT_EQ(state(), "running");
  write_lease("another-host", 1L << 30, 1);  // that no process here has such an id says nothing
  EXPECT_EQ(state(), "running");
  write_lease("another-host", 1, 500);
  EXPECT_EQ(state(), "dead");
  EXPECT_THAT(look().note, HasSubstr("Its process 1 on another-host is gone, last seen 8 min"));
  write_lease(host_name(), 1L << 30, 1);  // no process has such an id
  EXPECT_EQ(state(), "dead");
  append("events.jsonl", "{\"event\": \"done\", \"step\": 40}\n");
  EXPECT_EQ(state(), "done");
  EXPECT_EQ(look().note, "");  // nothing is wrong
}

TEST_F(RunFilesTest, ASecondLookReadsWhatIsNewAndARewrittenFileAnew) {
  write_run();
  RunMonitor monitor(directory_.path());
  EXPECT_EQ(monitor.look().status.at("step"), 20);
  append("metrics.jsonl", "ss\": 0.5}\n{\"step\": 40, \"loss\": 0.4}\n");
  EXPECT_EQ(monitor.look().status.at("step"), 40);
  EXPECT_EQ(monitor.look().status.at("recent_losses").size(), 4U);
  std::ofstream(directory_ / "metrics.jsonl") << "{\"step\": 21, \"loss\": 0.6}\n";
  EXPECT_EQ(monitor.look().status.at("step"), 21);
  EXPECT_EQ(monitor.look().status.at("recent_losses").size(), 1U);
}

TEST_F(RunFilesTest, LongFilesAreReadInPartWithEveryValidation) {
  write_run();
  fs::remove(directory_ / "metrics.jsonl");
  std::ofstream file(directory_ / "metrics.jsonl");
  const std::string filler(400, 'x');
  for (int step = 1; step <= 60'000; ++step) {  // 27 MB
    file << "{\"step\": " << step << ", \"loss\": 0.5, \"filler\": \"" << filler << "\"";
    if (step == 12'345) file << R"(, "validation": {"score": 0.9})";
    file << "}\n";
  }
  file.close();
  const Json status = look().status;
  EXPECT_EQ(status.at("step"), 60'000);
  EXPECT_EQ(status.at("validation").at("best_score"), 0.9);
  EXPECT_EQ(status.at("recent_losses").back().at(0), 60'000);
}

TEST_F(RunFilesTest, ASweepShowsItsRunsThoseInTroubleFirst) {
  write_run("runs/aaa");
  write_run("runs/bbb");
  append("runs/aaa/events.jsonl", "{\"event\": \"done\", \"step\": 40}\n");
  append("plan.json", R"({"runs": [{"id": "aaa", "label": "unet seed 1", "steps": 40},
                                   {"id": "ccc", "label": "unet seed 3", "steps": 40}]})");
  SweepMonitor monitor(directory_.path());
  const Json sweep = monitor.look();
  EXPECT_EQ(sweep.at("counts"), Json({{"dead", 1}, {"done", 1}, {"not started", 1}}));
  EXPECT_THAT(order_of_runs(sweep), ElementsAre("bbb", "ccc", "aaa"));
  const auto lines = sweep_view(sweep, 1, {100, 24, false});
  EXPECT_EQ(lines.at(1).text, "3 runs: 1 dead, 1 done, 1 not started");
  EXPECT_THAT(lines.at(2).text, HasSubstr("50.0 %"));  // (20/40 + 40/40 + 0) / 3
  EXPECT_THAT(lines.at(5).text, HasSubstr("bbb"));
  EXPECT_EQ(lines.at(5).style, LineStyle::kAlarm);
  EXPECT_THAT(lines.at(6).text, HasSubstr("unet seed 3"));
  EXPECT_EQ(lines.at(6).style, LineStyle::kChosen);
  EXPECT_THAT(lines.at(7).text, HasSubstr("100.0 %"));
}

TEST_F(RunFilesTest, DirectoriesSideBySideAreASweepTooAndNoneIsAnError) {
  EXPECT_THROW(SweepMonitor(directory_.path()), DataError);
  write_run("one");
  write_run("two");
  EXPECT_EQ(SweepMonitor(directory_.path()).look().at("runs").size(), 2U);
}

TEST(SweepView, TheChosenRunStaysInSight) {
  Json sweep = {{"directory", "d"}, {"counts", {{"running", 100}}}, {"runs", Json::array()}};
  for (int i = 0; i < 100; ++i) {
    sweep["runs"].push_back({{"run", fmt::format("run{:03}", i)}, {"state", "running"}});
  }
  for (const int chosen : {0, 50, 99}) {
    const auto lines = sweep_view(sweep, chosen, {50, 15, true});
    EXPECT_LE(lines.size(), 15U);
    int marked = 0;
    for (const ViewLine& line : lines) {
      if (line.style != LineStyle::kChosen) continue;
      ++marked;
      EXPECT_THAT(line.text, HasSubstr(fmt::format("run{:03}", chosen)));
    }
    EXPECT_EQ(marked, 1) << chosen;
  }
}

TEST(StatusWarnings, SayWhatNeedsSomebody) {
  EXPECT_TRUE(status_warnings({{"loss", 0.5}, {"metrics_step", 3}, {"skipped_steps", 0}}).empty());
  const auto warnings = status_warnings({{"loss", nullptr},
                                         {"metrics_step", 3},
                                         {"skipped_steps", 1},
                                         {"skipped_cases", 2},
                                         {"checkpoint_failures", 1},
                                         {"seconds", {{"step", 2.0}, {"data_wait", 1.0}}},
                                         {"ranks",
                                          {{{"rank", 1},
                                            {"host", "n2"},
                                            {"heard", true},
                                            {"heartbeat_age", 12.0},
                                            {"step", 7},
                                            {"activity", "waiting for rank"}}}}});
  EXPECT_THAT(warnings, ElementsAre("Rank 1 on n2 is silent 12 s (step 7, waiting for rank).",
                                    "The last loss is not finite.",
                                    HasSubstr("1 step had gradients that are not finite"),
                                    HasSubstr("2 cases could not be read and were skipped"),
                                    HasSubstr("1 checkpoint could not be written"),
                                    HasSubstr("50 % of each step is spent waiting for data")));
}

}  // namespace
}  // namespace lacuna::coordinator

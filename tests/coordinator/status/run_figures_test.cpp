#include "coordinator/status/run_figures.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "base/metrics/metric_names.h"
#include "tests/base/fake_clock.h"

namespace lacuna::coordinator {
namespace {

class RunFiguresTest : public ::testing::Test {
 protected:
  double value(const Metric& metric, const std::vector<std::string>& labels = {}) {
    for (const MetricSample& each : metrics_.samples()) {
      if (each.metric == &metric && each.labels == labels) return each.value;
    }
    ADD_FAILURE() << "no series of " << metric.name;
    return -1;
  }
  RunFigures& started() {
    figures_.publish("plan", {{"steps", 100},
                              {"ranks", 3},
                              {"groups", {"student"}},
                              {"diagnostics", {"importance/T1c", "other/thing"}},
                              {"regions", {"ET", "WT"}},
                              {"subsets", {"FLAIR", "FLAIR+T1c"}},
                              {"validate_every", 10},
                              {"checkpoint_seconds", 900},
                              {"checkpoint_steps", 50}});
    return figures_;
  }

  TemporaryDirectory directory_;
  FakeClock clock_;
  Metrics metrics_;
  RunFigures figures_{metrics_, directory_.path(), clock_};
};

TEST_F(RunFiguresTest, ThePlanMakesEverySeriesThatItNames) {
  started();
  EXPECT_EQ(value(metric::kRunSteps), 100);
  EXPECT_EQ(value(metric::kRanksExpected), 3);
  EXPECT_EQ(value(metric::kSaveIntervalSeconds), 900);
  EXPECT_EQ(value(metric::kSaveIntervalSteps), 50);
  EXPECT_EQ(value(metric::kEvalPeriod), 10);
  EXPECT_TRUE(std::isnan(value(metric::kLearningRate, {"student"})));
  EXPECT_TRUE(std::isnan(value(metric::kImportance, {"T1c"})));
  EXPECT_TRUE(std::isnan(value(metric::kEvalDice, {"WT", "FLAIR+T1c"})));
  EXPECT_TRUE(std::isnan(value(metric::kEvalHd95, {"ET", "FLAIR"})));
  EXPECT_EQ(value(metric::kSaveFailures), 0);
  EXPECT_GT(value(metric::kDiskSize), value(metric::kDiskFree));
}

TEST_F(RunFiguresTest, ALineOfMetricsSetsLossRatesAndValidation) {
  started().publish("metrics", {{"step", 20},
                                {"loss", 0.5},
                                {"losses", {{"dice", 0.25}, {"meta/loss", nullptr}}},
                                {"learning_rates", {{"student", 1e-3}}},
                                {"gradient_norms", {{"student", 2.0}}},
                                {"diagnostics", {{"importance/T1c", 0.75}, {"other/thing", 9}}},
                                {"validation",
                                 {{"score", 0.8},
                                  {"step", 18},
                                  {"seconds", 3.5},
                                  {"table", {{"FLAIR", {{"ET", 0.7}, {"WT", 0.9}}}}},
                                  {"hd95", {{"FLAIR", {{"ET", 12.5}}}}}}}});
  EXPECT_EQ(value(metric::kLoss, {"total"}), 0.5);
  EXPECT_EQ(value(metric::kLoss, {"dice"}), 0.25);
  EXPECT_TRUE(std::isnan(value(metric::kLoss, {"meta:loss"})));  // not finite
  EXPECT_EQ(value(metric::kLearningRate, {"student"}), 1e-3);
  EXPECT_EQ(value(metric::kGradNorm, {"student"}), 2);
  EXPECT_EQ(value(metric::kImportance, {"T1c"}), 0.75);
  EXPECT_EQ(value(metric::kEvalScore, {"newest"}), 0.8);
  EXPECT_EQ(value(metric::kEvalStep), 18);
  EXPECT_EQ(value(metric::kEvalTime), 3.5);
  EXPECT_EQ(value(metric::kEvalDice, {"ET", "FLAIR"}), 0.7);
  EXPECT_EQ(value(metric::kEvalHd95, {"ET", "FLAIR"}), 12.5);
  figures_.sample(25);
  EXPECT_EQ(value(metric::kRunStep), 25);
  EXPECT_EQ(value(metric::kStaleness), 7);
  figures_.publish("metrics", {{"validation", {{"score", 0.6}, {"step", 30}}}});
  EXPECT_EQ(value(metric::kEvalScore, {"newest"}), 0.6);
  EXPECT_EQ(value(metric::kEvalScore, {"best"}), 0.8);
}

TEST_F(RunFiguresTest, EventsCountCheckpointsFailuresAndSkippedSteps) {
  const double start = clock_.unix_seconds();
  started().publish("event", {{"event", "start"}, {"step", 0}});
  EXPECT_EQ(value(metric::kSaved), start);
  clock_.advance(40);
  figures_.publish("event", {{"event", "checkpoint"}, {"step", 50}, {"seconds", 0.3}});
  EXPECT_EQ(value(metric::kSaved), start + 40);
  EXPECT_EQ(value(metric::kSavedStep), 50);
  EXPECT_DOUBLE_EQ(value(metric::kSaveTime), 0.3);
  figures_.publish("event", {{"event", "checkpoint_failed"}, {"step", 60}});
  figures_.publish("event", {{"event", "nonfinite"}, {"step", 61}});
  EXPECT_EQ(value(metric::kSaveFailures), 1);
  EXPECT_EQ(value(metric::kNonfinite), 1);
  EXPECT_EQ(value(metric::kSavedStep), 50);
  EXPECT_EQ(value(metric::kRestarts), 0);
}

// A new process has a new port, so its series are new: the count must go on by itself.
TEST_F(RunFiguresTest, RestartsAreCountedOverTheLifeOfTheRun) {
  std::ofstream(directory_ / "events.jsonl") << R"({"event": "start", "step": 0})"
                                                "\n"
                                                R"({"event": "validation", "score": 0.9})"
                                                "\n"
                                             << R"({"event": "resume", "step": 10})"
                                                "\n"
                                                R"({"event": "resu)";
  started().publish("event", {{"event", "resume"}, {"step", 20}});
  EXPECT_EQ(value(metric::kRestarts), 2);
  EXPECT_EQ(value(metric::kSavedStep), 20);
  figures_.publish("metrics", {{"validation", {{"score", 0.5}, {"step", 30}}}});
  EXPECT_EQ(value(metric::kEvalScore, {"best"}), 0.9);
}

}  // namespace
}  // namespace lacuna::coordinator

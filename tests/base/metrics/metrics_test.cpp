#include "base/metrics/metrics.h"

#include <cmath>
#include <regex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/metrics/metric_names.h"
#include "base/metrics/metrics_json.h"
#include "base/metrics/process_figures.h"

namespace lacuna {
namespace {

using ::testing::ElementsAre;

const MetricSample* find(const MetricSamples& samples, const Metric& metric,
                         const std::vector<std::string>& labels = {}) {
  for (const MetricSample& each : samples) {
    if (each.metric == &metric && each.labels == labels) return &each;
  }
  return nullptr;
}

TEST(MetricNames, FollowTheRulesOfPrometheusAndHaveAHelpText) {
  std::set<std::string_view> names;
  for (const Metric* each : metric::kAll) {
    const std::string name(each->name);
    EXPECT_TRUE(std::regex_match(name, std::regex("lacuna_[a-z][a-z0-9_]*"))) << name;
    EXPECT_TRUE(names.insert(each->name).second) << name;
    EXPECT_FALSE(each->help.empty()) << name;
    EXPECT_EQ(each->kind == MetricKind::kCounter, name.ends_with("_total")) << name;
    if (each->unit == "seconds" || each->unit == "bytes" || each->unit == "ratio") {
      const bool unitless = name == "lacuna_eval_dice" || name == "lacuna_eval_score";
      EXPECT_TRUE(unitless || name.find("_" + std::string(each->unit)) != std::string::npos)
          << name;
    }
    EXPECT_EQ(metric::find(each->name), each);
  }
  EXPECT_EQ(metric::find("lacuna_none"), nullptr);
}

TEST(Metrics, SeriesExistFromTheStartAndCountersBeginAtZero) {
  Metrics metrics;
  metrics.counter(metric::kTrainSteps);
  metrics.gauge(metric::kEvalDice, {"ET", "FLAIR"});
  metrics.gauge(metric::kRunStep, {}, 0);
  const MetricSamples samples = metrics.samples();
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(find(samples, metric::kTrainSteps)->value, 0);
  EXPECT_TRUE(std::isnan(find(samples, metric::kEvalDice, {"ET", "FLAIR"})->value));
  EXPECT_EQ(find(samples, metric::kRunStep)->value, 0);
}

TEST(Metrics, AHistogramCountsAValueInTheFirstBucketThatHoldsIt) {
  Metrics metrics;
  const Histogram time = metrics.histogram(metric::kStepTime);
  for (const double seconds : {0.001, 0.0011, 0.3, 1e9}) time.observe(seconds);
  const MetricSamples samples = metrics.samples();
  const MetricSample& sample = *find(samples, metric::kStepTime);
  EXPECT_DOUBLE_EQ(sample.value, 0.001 + 0.0011 + 0.3 + 1e9);
  EXPECT_THAT(sample.counts, ElementsAre(1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1));
}

TEST(Metrics, HandlesWithoutARegistryDoNothing) {
  Counter().add();
  Gauge().set(1);
  Histogram().observe(1);
  counter(nullptr, metric::kTrainSteps).add();
  histogram(nullptr, metric::kStepTime).observe(1);
  gauge(nullptr, metric::kRunStep).set(1);
}

TEST(Metrics, TheSameSeriesIsMadeOnce) {
  Metrics metrics;
  metrics.counter(metric::kSubsetDraws, {"FLAIR"}).add();
  metrics.counter(metric::kSubsetDraws, {"FLAIR"}).add(2);
  metrics.counter(metric::kSubsetDraws, {"T1"}).add();
  const MetricSamples samples = metrics.samples();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(find(samples, metric::kSubsetDraws, {"FLAIR"})->value, 3);
}

TEST(Metrics, NumberOfSeriesAndLengthOfLabelsAreBounded) {
  Metrics metrics;
  for (std::size_t i = 0; i < kMostSeries + 10; ++i) {
    metrics.counter(metric::kSubsetDraws, {std::to_string(i)}).add();
  }
  EXPECT_EQ(metrics.samples().size(), kMostSeries);
  EXPECT_EQ(clean_label(std::string(1000, 'x')).size(), kLongestLabel);
  EXPECT_EQ(clean_label("/data/BraTS \"7\"\n{}"), "_data_BraTS__7____");
  EXPECT_EQ(clean_label("FLAIR+T1c"), "FLAIR+T1c");
}

TEST(Metrics, ManyThreadsLoseNothing) {
  Metrics metrics;
  const Counter steps = metrics.counter(metric::kTrainSteps);
  const Histogram time = metrics.histogram(metric::kStepTime);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        steps.add();
        time.observe(0.5);
        if (i % 100 == 0) (void)metrics.samples();
      }
    });
  }
  threads.clear();
  const MetricSamples samples = metrics.samples();
  EXPECT_EQ(find(samples, metric::kTrainSteps)->value, 4000);
  EXPECT_EQ(find(samples, metric::kStepTime)->counts[8], 4000u);
  EXPECT_EQ(find(samples, metric::kStepTime)->value, 2000);
}

TEST(MetricsJson, CarriesARanksFiguresAndNotThoseOfTheRun) {
  Metrics metrics;
  metrics.counter(metric::kSubsetDraws, {"FLAIR+T1"}).add(7);
  metrics.gauge(metric::kQueueDepth);  // not set: NaN
  metrics.histogram(metric::kPhaseTime, {"reduce"}).observe(0.02);
  metrics.gauge(metric::kRunStep, {}, 5);
  const auto back = metric_samples_from_json(Json::parse(to_json(metrics.samples()).dump()));
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(find(back, metric::kSubsetDraws, {"FLAIR+T1"})->value, 7);
  EXPECT_TRUE(std::isnan(find(back, metric::kQueueDepth)->value));
  const MetricSample& time = *find(back, metric::kPhaseTime, {"reduce"});
  EXPECT_DOUBLE_EQ(time.value, 0.02);
  EXPECT_EQ(time.counts.at(4), 1u);
}

TEST(MetricsJson, RefusesWhatIsMalformedAndPassesOverUnknownNames) {
  const auto refused = [](const char* text) {
    EXPECT_THROW((void)metric_samples_from_json(Json::parse(text)), DataError) << text;
  };
  refused("[]");
  refused(R"({"lacuna_train_steps_total": [[1, 2]]})");
  refused(R"({"lacuna_train_steps_total": [["x"]]})");
  refused(R"({"lacuna_subset_draws_total": [[1, 2]]})");
  refused(R"({"lacuna_train_step_seconds": [[0.5, 1, 2]]})");
  refused(R"({"lacuna_train_step_seconds": [[0.5,-1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]})");
  Json many = {{"lacuna_train_steps_total", Json::array()}};
  for (std::size_t i = 0; i <= kMostSeries; ++i) {
    many["lacuna_train_steps_total"].push_back(Json::array({1}));
  }
  EXPECT_THROW((void)metric_samples_from_json(many), DataError);
  EXPECT_TRUE(metric_samples_from_json(Json::parse(R"({"of_tomorrow": [[1]]})")).empty());
}

TEST(MetricsJson, LabelsThatArriveAreCleanedToo) {
  const auto samples =
      metric_samples_from_json(Json::parse(R"({"lacuna_subset_draws_total": [["/home/x", 1]]})"));
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].labels[0], "_home_x");
}

TEST(ProcessFigures, TellsMemoryProcessorTimeAndThreads) {
  Metrics metrics;
  ProcessFigures process(metrics, steady_clock());
  std::jthread another([](std::stop_token stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
  });
  process.sample();
  const MetricSamples samples = metrics.samples();
  EXPECT_GT(find(samples, metric::kResident)->value, 1e6);
  EXPECT_GE(find(samples, metric::kProcessor)->value, 0);
  EXPECT_GE(find(samples, metric::kThreads)->value, 2);
  EXPECT_NEAR(find(samples, metric::kStarted)->value, steady_clock().unix_seconds(), 60);
}

// What one process tells for the whole run must not be told by a rank in its name.
TEST(MetricsJson, WhatIsNotOfARankIsPassedOver) {
  const Json told = {{std::string(metric::kRunStep.name), {{5.0}}},
                     {std::string(metric::kTrainSteps.name), {{7.0}}},
                     {"lacuna_no_such_metric", {{1.0}}}};
  const MetricSamples samples = metric_samples_from_json(told);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].metric, &metric::kTrainSteps);
  EXPECT_EQ(samples[0].value, 7);
}

}  // namespace
}  // namespace lacuna

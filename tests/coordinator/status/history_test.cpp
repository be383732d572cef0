#include "coordinator/status/history.h"

#include <gtest/gtest.h>

namespace lacuna::coordinator {
namespace {

Json line(std::int64_t step, double loss) { return {{"step", step}, {"loss", loss}}; }

TEST(History, KeepsEveryLineOfAShortRun) {
  History history;
  history.add({{"step", 1},
               {"loss", 0.123456789},
               {"losses", {{"dice", 0.1}}},
               {"learning_rates", {{"network", 1e-4}}},
               {"diagnostics", {{"importance/T1", 0.25}}},
               {"samples_per_second", 3.0}});
  history.add({{"step", 2}, {"loss", nullptr}});
  const Json all = history.json();
  EXPECT_EQ(all.at("loss").at("total").at("step"), Json({1, 2}));
  EXPECT_EQ(all.at("loss").at("total").at("value"), Json({0.12346, nullptr}));
  EXPECT_EQ(all.at("diagnostics").at("importance/T1").at("value"), Json({0.25}));
  EXPECT_EQ(all.at("learning_rates").at("network").at("value"), Json({1e-4}));
}

TEST(History, AMillionStepsStaySmallAndKeepTheirMeans) {
  History history;
  // A ramp: the mean of a stretch of neighbours is the value in its middle.
  for (std::int64_t step = 1; step <= 1'000'000; ++step) {
    history.add(line(step, static_cast<double>(step)));
  }
  const Json total = history.json().at("loss").at("total");
  const std::size_t points = total.at("step").size();
  EXPECT_LE(points, History::kPoints);
  EXPECT_GE(points, History::kPoints / 2);
  for (std::size_t i = 0; i < points; ++i) {
    const double step = total.at("step")[i], value = total.at("value")[i];
    EXPECT_NEAR(value, step, 0.5 + 1e-4 * step);  // five digits
  }
  EXPECT_LT(total.dump().size(), 10'000U);
}

TEST(History, WhatAResumedRunTellsAgainReplacesWhatWasThere) {
  History history;
  for (int step = 1; step <= 5; ++step) history.add(line(step, 1));
  history.add(line(3, 2));
  const Json total = history.json().at("loss").at("total");
  EXPECT_EQ(total.at("step"), Json({1, 2, 3}));
  EXPECT_EQ(total.at("value"), Json({1, 1, 2}));
}

// A validation rank reports two steps after the step that it judged.
TEST(History, AValidationStandsAtTheStepThatItJudged) {
  History history;
  history.add(
      {{"step", 12}, {"validation", {{"step", 10}, {"score", 0.5}, {"regions", {{"ET", 0.4}}}}}});
  const Json all = history.json();
  EXPECT_EQ(all.at("validation").at("mean").at("step"), Json({10}));
  EXPECT_EQ(all.at("validation").at("ET").at("value"), Json({0.4}));
}

TEST(History, TheNumberOfSeriesIsBounded) {
  History history;
  Json losses;
  for (int i = 0; i < 1000; ++i) losses["part" + std::to_string(i)] = 1;
  history.add({{"step", 1}, {"loss", 1}, {"losses", losses}});
  EXPECT_EQ(history.json().at("losses").size() + 1, History::kSeries);
}

TEST(History, LinesOfAnotherFormAreNoError) {
  History history;
  history.add({{"step", "x"}});
  history.add(Json::array());
  history.add({{"step", 1}, {"losses", 3}, {"validation", "none"}});
  EXPECT_TRUE(history.json().at("loss").at("total").at("value")[0].is_null());
}

}  // namespace
}  // namespace lacuna::coordinator

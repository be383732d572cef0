// When results of phases on the meta set take effect, whoever computes them: in one process, and on
// a dedicated validation rank. The toy's phase runs at steps 0 and 3 (stage of six steps) and 8.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/ranked_toy.h"

namespace lacuna::worker {
namespace {

using ::testing::HasSubstr;

using MetaPhasesTest = RankedRuns;

const Json kAsync = {{"async", true}, {"lag", 2}, {"log_every", 1}, {"dropout", 0.1}};
const Json kAsyncOnRank = {
    {"async", true}, {"lag", 2}, {"log_every", 1}, {"dropout", 0.1}, {"dedicated", true}};

Json with(Json spec, const std::string& key, const Json& value) {
  spec[key] = value;
  return spec;
}

TEST_F(MetaPhasesTest, AsyncTakesEffectALagLaterWithTheWeightsOfItsStep) {
  ASSERT_EQ(train_on(1, spec("async", kAsync)), 0);
  ASSERT_EQ(train_on(1, spec("sync", {{"log_every", 1}, {"dropout", 0.1}})), 0);
  const auto late = metrics("async"), now = metrics("sync");
  const auto importance = [](const std::vector<Json>& lines, std::size_t step) {
    return lines[step].at("diagnostics").at("importance").get<double>();
  };
  // Line k is step k - 1. Sync moves in steps 0, 3, 8; async in steps 2, 5, 10.
  EXPECT_NE(importance(now, 0), 0);
  for (std::size_t step = 0; step < 12; ++step) {
    const double before = step == 0 ? 0 : importance(late, step - 1);
    if (step == 2 || step == 5 || step == 10) {
      EXPECT_NE(importance(late, step), before) << step;
      EXPECT_TRUE(late[step].at("losses").contains("meta/bce")) << step;
    } else {
      EXPECT_EQ(importance(late, step), before) << step;
      EXPECT_FALSE(late[step].at("losses").contains("meta/bce")) << step;
    }
  }
  // Nothing differs before step 0's phase: the late result is the one that sync had.
  EXPECT_EQ(importance(late, 2), importance(now, 0));
  EXPECT_EQ(late[2].at("losses").at("meta/bce"), now[0].at("losses").at("meta/bce"));
}

TEST_F(MetaPhasesTest, AResultTakesEffectAtTheLatestAtTheEndOfItsStage) {
  // Lag 3 from step 3 would be step 6, the first of the next stage.
  ASSERT_EQ(train_on(1, spec("run", with(kAsync, "lag", 3))), 0);
  const auto lines = metrics("run");
  EXPECT_TRUE(lines[5].at("losses").contains("meta/bce"));
  EXPECT_EQ(lines[5].at("stage"), "full");
  EXPECT_FALSE(lines[6].at("losses").contains("meta/bce"));
}

TEST_F(MetaPhasesTest, AValidationRankChangesNothing) {
  const Json sync = {{"dropout", 0.1}};
  ASSERT_EQ(train_on(1, spec("sync", sync)), 0);
  ASSERT_EQ(train_on(2, spec("sync-rank", with(sync, "dedicated", true))), 0);
  expect_same_weights("sync", "sync-rank");
  ASSERT_EQ(train_on(1, spec("async", kAsync)), 0);
  ASSERT_EQ(train_on(2, spec("async-rank", kAsyncOnRank)), 0);
  expect_same_weights("async", "async-rank");
  EXPECT_FALSE(bytes_of(last("sync", "model.safetensors")) ==
               bytes_of(last("async", "model.safetensors")));
}

// What is drawn after a phase on the meta set must not depend on whether this rank ran it.
TEST_F(MetaPhasesTest, NorDoesItForThePhasesThatFollow) {
  const Json first = {{"meta_first", true}, {"dropout", 0.1}};
  ASSERT_EQ(train_on(1, spec("one", first)), 0);
  ASSERT_EQ(train_on(2, spec("rank", with(first, "dedicated", true))), 0);
  expect_same_weights("one", "rank");
}

TEST_F(MetaPhasesTest, NorDoesItBesideSeveralTrainers) {
  for (const bool async : {false, true}) {
    const std::string kind = async ? "async" : "sync";
    const Json shared = {{"async", async}, {"lag", 2}};
    ASSERT_EQ(train_on(2, spec(kind, shared)), 0);
    ASSERT_EQ(train_on(3, spec(kind + "-rank", with(shared, "dedicated", true))), 0);
    expect_same_weights(kind, kind + "-rank");
  }
}

TEST_F(MetaPhasesTest, AValidationRankFindsTheSameBestStep) {
  const Json often = {{"validate_every", 2}, {"validate_cases", 2}, {"validate_lag", 1}};
  ASSERT_EQ(train_on(1, spec("alone", often)), 0);
  ASSERT_EQ(train_on(2, spec("rank", with(often, "dedicated", true))), 0);
  const Json alone = read_json(last("alone", "state.json"));
  const Json rank = read_json(last("rank", "state.json"));
  EXPECT_EQ(alone.at("best_score"), rank.at("best_score"));
  EXPECT_EQ(alone.at("best_step"), rank.at("best_step"));
  // Reported a lag later, and the last at the end.
  std::vector<std::pair<int, int>> reported;  // line, judged step
  for (const Json& line : metrics("rank")) {
    if (line.contains("validation")) {
      reported.emplace_back(line["step"], line["validation"]["step"]);
    }
  }
  EXPECT_EQ(reported,
            (std::vector<std::pair<int, int>>{{3, 2}, {5, 4}, {7, 6}, {9, 8}, {11, 10}, {12, 12}}));
}

// A stop at every question that the trainer asks: with and without a pending result.
TEST_F(MetaPhasesTest, StoppedAnywhereAnAsyncRunResumesBitEqually) {
  ASSERT_EQ(train_on(1, spec("whole", kAsync)), 0);
  int code = 75, stops = 0;
  for (int question = 1; code == 75; ++question) {
    const std::string run = std::to_string(question);
    code = train_on(1, spec(run, with(kAsync, "stop", {{"rank", 0}, {"question", question}})));
    ASSERT_EQ(train_on(1, spec(run, kAsync)), 0);
    expect_same_result("whole", run);
    if (HasFailure()) FAIL() << "stopped at question " << question;
    ++stops;
  }
  EXPECT_GT(stops, 12);
}

TEST_F(MetaPhasesTest, WithAValidationRankItStopsAndResumesBitEqually) {
  ASSERT_EQ(train_on(2, spec("whole", kAsyncOnRank)), 0);
  for (const int question : {2, 5, 6}) {  // results pending from steps 0 and 3; a validation from 5
    const std::string run = std::to_string(question);
    const Json stop = with(kAsyncOnRank, "stop", {{"rank", 0}, {"question", question}});
    ASSERT_EQ(train_on(2, spec(run, stop)), 75);
    ASSERT_EQ(train_on(2, spec(run, kAsyncOnRank)), 0);
    expect_same_result("whole", run);
  }
}

TEST_F(MetaPhasesTest, APendingResultSurvivesAChangeOfRanks) {
  ASSERT_EQ(train_on(1, spec("whole", kAsync)), 0);
  const Json stop = {{"rank", 0}, {"question", 5}};
  ASSERT_EQ(train_on(2, spec("to-one", with(kAsyncOnRank, "stop", stop))), 75);
  EXPECT_FALSE(read_json(last("to-one", "state.json")).at("meta_pending").empty());
  ASSERT_EQ(train_on(1, spec("to-one", kAsync)), 0);
  expect_same_weights("whole", "to-one");
  ASSERT_EQ(train_on(1, spec("to-two", with(kAsync, "stop", stop))), 75);
  EXPECT_FALSE(read_json(last("to-two", "state.json")).at("meta_pending").empty());
  ASSERT_EQ(train_on(2, spec("to-two", kAsyncOnRank)), 0);
  expect_same_weights("whole", "to-two");
}

TEST_F(MetaPhasesTest, APendingValidationSurvivesAChangeOfRanks) {
  const Json often = with(kAsync, "validate_cases", 2);
  const auto score_of_step_5 = [&](const std::string& run) {
    for (const Json& line : metrics(run)) {
      if (line.contains("validation") && line["validation"]["step"] == 5) return line["validation"];
    }
    return Json();
  };
  ASSERT_EQ(train_on(1, spec("whole", often)), 0);
  ASSERT_TRUE(score_of_step_5("whole").contains("score"));
  // Step 5 is sent to the validation rank; the next question comes before its answer counts.
  const Json on_rank = with(often, "dedicated", true);
  const Json stop = {{"rank", 0}, {"question", 6}};
  ASSERT_EQ(train_on(2, spec("to-one", with(on_rank, "stop", stop))), 75);
  EXPECT_EQ(read_json(last("to-one", "state.json")).at("candidate"), 5);
  ASSERT_EQ(train_on(1, spec("to-one", often)), 0);
  expect_same_weights("whole", "to-one");
  EXPECT_EQ(score_of_step_5("to-one"), score_of_step_5("whole"));
  EXPECT_EQ(read_json(last("to-one", "state.json")).at("best_score"),
            read_json(last("whole", "state.json")).at("best_score"));
}

TEST_F(MetaPhasesTest, AnyRankKilledWithAResultPendingTheRunResumesBitEqually) {
  const Json saved = with(kAsyncOnRank, "checkpoint_steps", 1);
  ASSERT_EQ(train_on(2, spec("whole", saved)), 0);
  // The trainer dies in its fifth loss, a step after the phase of step 3 was sent off; the
  // validation rank in the first loss of that phase.
  for (const auto& [rank, call] : {std::pair(0, 5), std::pair(1, 3)}) {
    const std::string run = std::to_string(rank);
    EXPECT_NE(train_on(2, spec(run, with(saved, "kill", {{"rank", rank}, {"call", call}}))), 0);
    ASSERT_EQ(train_on(2, spec(run, saved)), 0);
    expect_same_result("whole", run);
  }
}

TEST_F(MetaPhasesTest, AValidationRankThatIsAskedToStopTellsTheTrainers) {
  const Json stop = with(kAsyncOnRank, "stop", {{"rank", 1}, {"question", 1}});
  EXPECT_EQ(train_on(2, spec("run", stop)), 75);
  ASSERT_EQ(train_on(2, spec("run", kAsyncOnRank)), 0);
  ASSERT_EQ(train_on(2, spec("whole", kAsyncOnRank)), 0);
  expect_same_result("whole", "run");
}

TEST_F(MetaPhasesTest, ALagThatDoesNotFitIsRefused) {
  const auto message = [&](const Json& changes, const std::string& group) -> std::string {
    TrainingHooks hooks = toy_hooks([&](ToyMethod& method) { method.meta_group = group; });
    Json all = spec("refused", changes);
    all["cache"] = toy_cache().string();
    try {
      train(ranked_config(all), folder_ / "refused", hooks);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(with(kAsync, "lag", 4), "importance"),
              HasSubstr("meta.lag is 4, but phase meta of stage full runs every 3 steps"));
  EXPECT_THAT(message(kAsync, "network"), HasSubstr("both train group network"));
}

}  // namespace
}  // namespace lacuna::worker

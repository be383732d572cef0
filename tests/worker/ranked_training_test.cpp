// Training on several real ranks: what one process computes, they compute together.
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/ranked_toy.h"

namespace lacuna::worker {
namespace {

namespace fs = std::filesystem;

TEST(RankBody, DISABLED_TrainToy) {
  const Json spec = Json::parse(std::getenv("LACUNA_TEST_SPEC"));
  int code = 0;
  {
    comm::MpiSession mpi;
    const auto world = mpi.world();
    TrainingHooks hooks = ranked_hooks(spec, world->rank());
    hooks.ranks = world.get();
    std::shared_ptr<torch::nn::Module> module;
    hooks.make_method = [&module, make = hooks.make_method](const data::Cohort& cohort) {
      auto method = make(cohort);
      module = method->module().shared_from_this();
      return method;
    };
    try {
      code = static_cast<int>(
          train(ranked_config(spec), spec.at("run").get<std::string>(), hooks).code);
      write_final_weights(spec, world->rank(), *module);
    } catch (const Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      comm::MpiSession::abandon(static_cast<int>(error.code()));
    }
  }
  std::_Exit(code);
}

using RankedTraining = RankedRuns;

// 1 x 4, 2 x 2 and 4 x 1: the same samples, summed in another order.
TEST_F(RankedTraining, LossesDoNotDependOnTheNumberOfRanks) {
  const Json common = {{"steps", 20}, {"batch", 4}, {"log_every", 1}};
  for (const int ranks : {1, 2, 4}) {
    ASSERT_EQ(train_on(ranks, spec(std::to_string(ranks), common)), 0);
  }
  ASSERT_EQ(metrics("1").size(), 20u);
  EXPECT_LT(largest_difference(metrics("1"), metrics("2")), 1e-4);
  EXPECT_LT(largest_difference(metrics("1"), metrics("4")), 1e-4);
}

// A Dice loss over the whole batch sees all of it on any number of ranks; in micro-batches, what
// all ranks compute at once.
TEST_F(RankedTraining, ALossOverTheBatchDoesNotDependOnTheNumberOfRanks) {
  const Json common = {{"steps", 20}, {"batch", 4}, {"log_every", 1}, {"joint", true}};
  for (const int ranks : {1, 2, 4}) {
    ASSERT_EQ(train_on(ranks, spec(std::to_string(ranks), common)), 0);
  }
  ASSERT_EQ(metrics("1").size(), 20u);
  ASSERT_TRUE(metrics("1")[0].at("losses").contains("dice"));
  EXPECT_LT(largest_difference(metrics("1"), metrics("2")), 1e-4);
  EXPECT_LT(largest_difference(metrics("1"), metrics("4")), 1e-4);
  Json parts = common;
  parts["micro_batch"] = 2;
  ASSERT_EQ(train_on(1, spec("1 by 2", parts)), 0);
  parts["micro_batch"] = 1;
  ASSERT_EQ(train_on(2, spec("2 by 1", parts)), 0);
  EXPECT_LT(largest_difference(metrics("1 by 2"), metrics("2 by 1")), 1e-4);
  EXPECT_GT(largest_difference(metrics("1 by 2"), metrics("1")), 3e-4);  // it is another loss
}

// The rank whose loss is not finite still joins the sums of its later micro-batches.
TEST_F(RankedTraining, ANonFiniteLossOverTheBatchKeepsNobodyWaiting) {
  const Json bad = {{"poison", {{"rank", 1}, {"step", 4}}},
                    {"joint", true},
                    {"batch", 6},
                    {"micro_batch", 1},
                    {"deadline", 20.0}};
  ASSERT_EQ(train_on(2, spec("bad", bad)), 0);
  EXPECT_EQ(metrics("bad").back().at("skipped_steps"), 1);
  EXPECT_EQ(count_events(folder_ / "bad", "nonfinite"), 1);
}

TEST_F(RankedTraining, ALossOverTheBatchRefusesABatchThatDoesNotDivide) {
  EXPECT_EQ(train_on(2, spec("run", {{"batch", 3}, {"joint", true}})), 2);
}

TEST_F(RankedTraining, ABatchThatDoesNotDivideIsWeightedBySamples) {
  const Json three = {{"steps", 20}, {"batch", 3}, {"log_every", 1}};
  Json in_parts = three;
  in_parts["micro_batch"] = 1;
  ASSERT_EQ(train_on(1, spec("1", three)), 0);
  ASSERT_EQ(train_on(2, spec("2", three)), 0);
  ASSERT_EQ(train_on(2, spec("parts", in_parts)), 0);
  ASSERT_EQ(train_on(4, spec("4", three)), 0);  // one rank has no sample at all
  for (const char* run : {"2", "parts", "4"}) {
    EXPECT_LT(largest_difference(metrics("1"), metrics(run)), 1e-4) << run;
  }
}

TEST_F(RankedTraining, ValidationOverRanksGivesTheScoreOfOneProcess) {
  // No step in between: the weights of both are the same.
  const Json still = {{"steps", 2}, {"batch", 1}, {"validate_every", 1}, {"validate_cases", 3}};
  ASSERT_EQ(train_on(1, spec("1", still)), 0);
  ASSERT_EQ(train_on(2, spec("2", still)), 0);
  ASSERT_EQ(metrics("1").size(), 2u);
  const Json validation = metrics("1")[0].at("validation");
  EXPECT_EQ(validation, metrics("2")[0].at("validation"));
  // Every cell of the table is over the same number of cases, so means of cells are means of all.
  double sum = 0;
  for (const Json& row : validation.at("table")) {
    for (const Json& cell : row) sum += cell.get<double>() / static_cast<double>(row.size());
  }
  const auto rows = static_cast<double>(validation.at("table").size());
  EXPECT_NEAR(sum / rows, validation.at("score").get<double>(), 1e-12);
}

TEST_F(RankedTraining, GradientsMayTravelAsBfloat16) {
  const Json narrow = {{"steps", 6}, {"batch", 2}, {"bf16_gradients", true}, {"log_every", 1}};
  ASSERT_EQ(train_on(1, spec("1", narrow)), 0);
  ASSERT_EQ(train_on(2, spec("2", narrow)), 0);
  const double difference = largest_difference(metrics("1"), metrics("2"));
  EXPECT_LT(difference, 2e-2);
  EXPECT_GT(difference, 1e-7);  // they were rounded
}

TEST_F(RankedTraining, EveryRankLogsAndOnlyRank0WritesTheRest) {
  ASSERT_EQ(train_on(2, spec("run")), 0);
  EXPECT_TRUE(fs::exists(folder_ / "run/log/rank-0.log"));
  EXPECT_TRUE(fs::exists(folder_ / "run/log/rank-1.log"));
  EXPECT_EQ(count_events(folder_ / "run", "start"), 1);
  EXPECT_EQ(count_events(folder_ / "run", "done"), 1);
}

TEST_F(RankedTraining, ANonFiniteLossOnOneRankIsSkippedOnAll) {
  const Json bad = {{"poison", {{"rank", 1}, {"step", 4}}}};
  ASSERT_EQ(train_on(2, spec("bad", bad)), 0);
  ASSERT_EQ(train_on(2, spec("good")), 0);
  EXPECT_EQ(metrics("bad").back().at("skipped_steps"), 1);
  EXPECT_EQ(count_events(folder_ / "bad", "nonfinite"), 1);
  EXPECT_FALSE(bytes_of(last("bad", "model.safetensors")) ==
               bytes_of(last("good", "model.safetensors")));
}

TEST_F(RankedTraining, ARequestToStopOnAnyRankStopsAllAndTheyResumeBitEqually) {
  ASSERT_EQ(train_on(2, spec("whole")), 0);
  for (const int question : {1, 4, 7, 9}) {
    const std::string run = std::to_string(question);
    const Json stop = {{"stop", {{"rank", 1}, {"question", question}}}};
    EXPECT_EQ(train_on(2, spec(run, stop)), 75);
    EXPECT_EQ(train_on(2, spec(run)), 0);
    expect_same_result("whole", run);
  }
}

TEST_F(RankedTraining, ARankThatDiesEndsTheRunWhichResumesBitEqually) {
  ASSERT_EQ(train_on(2, spec("whole")), 0);
  for (const int rank : {0, 1}) {
    const std::string run = "killed-" + std::to_string(rank);
    const Json kill = {{"kill", {{"rank", rank}, {"call", 8}}}};
    EXPECT_NE(train_on(2, spec(run, kill)), 0);
    EXPECT_EQ(train_on(2, spec(run)), 0);
    expect_same_result("whole", run);
  }
}

TEST_F(RankedTraining, ARankThatHangsIsLeftAtTheDeadlineWith76) {
  const Json hang = {{"hang", {{"rank", 1}, {"call", 3}}}, {"deadline", 1.0}};
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(train_on(2, spec("run", hang)), 76);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, ::testing::HasSubstr("rank 0 of 2"));
  EXPECT_THAT(said, ::testing::HasSubstr("step 2, waiting for rank: the sum of gradients failed"));
  ASSERT_EQ(train_on(2, spec("run")), 0);
  ASSERT_EQ(train_on(2, spec("whole")), 0);
  expect_same_result("whole", "run");
}

TEST_F(RankedTraining, ItGoesOnWithAnotherNumberOfRanks) {
  const Json stop = {{"batch", 4}, {"stop", {{"rank", 0}, {"question", 5}}}};
  ASSERT_EQ(train_on(1, spec("whole", {{"batch", 4}})), 0);
  ASSERT_EQ(train_on(4, spec("run", stop)), 75);
  ASSERT_EQ(train_on(2, spec("run", {{"batch", 4}})), 0);
  EXPECT_LT(largest_difference(metrics("whole"), metrics("run")), 1e-4);
}

TEST_F(RankedTraining, LocalShardsAreStoredStagedAndAnnouncedWhenTheyChange) {
  const Json local = {{"batch", 2}, {"shard", "local"}, {"stage", "memory"}};
  Json stop = local;
  stop["stop"] = {{"rank", 0}, {"question", 4}};
  ASSERT_EQ(train_on(2, spec("run", stop)), 75);
  const Json plan = read_json(folder_ / "run/shard_plan.json");
  EXPECT_EQ(plan.at("shard"), "local");
  ASSERT_EQ(plan.at("ranks").size(), 2u);
  std::set<std::string> cases;
  for (const Json& rank : plan.at("ranks")) {
    EXPECT_EQ(rank.at("cases").size(), 2u);
    cases.insert(rank.at("cases").begin(), rank.at("cases").end());
  }
  EXPECT_EQ(cases.size(), 4u);
  ASSERT_EQ(train_on(2, spec("run", local)), 0);
  EXPECT_EQ(count_events(folder_ / "run", "shards_changed"), 0);
  ASSERT_EQ(train_on(2, spec("whole", local)), 0);
  expect_same_result("whole", "run");

  ASSERT_EQ(train_on(2, spec("other", stop)), 75);
  ASSERT_EQ(train_on(1, spec("other", local)), 0);
  EXPECT_EQ(count_events(folder_ / "other", "shards_changed"), 1);
}

TEST_F(RankedTraining, InstitutionsStayOnOneRankWhenShardsAreByInstitution) {
  const fs::path cache = make_toy_cache(folder_, "fets2022");
  const Json settings = {{"cache", cache.string()}, {"shard", "local"}, {"batch", 2}};
  ASSERT_EQ(train_on(2, spec("run",
                             [&] {
                               Json by = settings;
                               by["shard_by"] = "institution";
                               return by;
                             }())),
            0);
  std::map<std::string, std::string> institution;
  for (const auto& info : data::open_cohort(cache).cases) institution[info.id] = info.institution;
  std::map<std::string, std::set<std::size_t>> ranks_of;
  const Json plan = read_json(folder_ / "run/shard_plan.json");
  for (const Json& rank : plan.at("ranks")) {
    for (const std::string id : rank.at("cases")) {
      ranks_of[institution.at(id)].insert(rank.at("rank").get<std::size_t>());
    }
  }
  EXPECT_GE(ranks_of.size(), 2u);
  for (const auto& [name, ranks] : ranks_of) {
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(ranks.size(), 1u) << name;
  }
}

TEST_F(RankedTraining, EveryLineOfMetricsAndEventsIsPublishedAsItIsWritten) {
  std::vector<Json> metrics, events;
  int plans = 0;
  TrainingHooks hooks = toy_hooks();
  hooks.publish = [&](const std::string& kind, const Json& what) {
    plans += kind == "plan";
    if (kind == "metrics") metrics.push_back(what);
    if (kind == "event") events.push_back(what);
  };
  train(toy_config(toy_cache()), folder_ / "run", hooks);
  EXPECT_EQ(plans, 1);
  EXPECT_EQ(metrics, lines_of(folder_ / "run/metrics.jsonl"));
  ASSERT_EQ(events.size(), lines_of(folder_ / "run/events.jsonl").size());
  EXPECT_EQ(events.back().at("event"), "done");
}

}  // namespace
}  // namespace lacuna::worker

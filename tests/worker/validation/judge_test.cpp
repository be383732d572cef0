// When scores count, which step is the best, and what becomes of cases that cannot be read: in one
// process, over trainers, and on a validation rank.
#include <fstream>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/ranked_toy.h"

namespace lacuna::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
namespace fs = std::filesystem;

class JudgeTest : public RankedRuns {
 protected:
  fs::path run(const std::string& name) const { return folder_ / name; }
  // (line's step, judged step) of each validation in metrics.jsonl.
  std::vector<std::pair<int, int>> reported(const std::string& name) const {
    std::vector<std::pair<int, int>> all;
    for (const Json& line : lines_of(run(name) / "metrics.jsonl")) {
      if (line.contains("validation")) {
        all.emplace_back(line["step"], line["validation"]["step"]);
      }
    }
    return all;
  }
  // What was said of the judged step, without the time that it took.
  Json validation_of(const std::string& name, int step) const {
    for (Json line : lines_of(run(name) / "metrics.jsonl")) {
      if (!line.contains("validation") || line["validation"]["step"] != step) continue;
      line["validation"].erase("seconds");
      return line["validation"];
    }
    return nullptr;
  }
  Json state(const std::string& name) const { return read_json(last(name, "state.json")); }
};

TEST_F(JudgeTest, ByDefaultAScoreCountsAtTheNextValidationAndAStepBeforeTheEnd) {
  const Json common = {{"validate_every", 4}, {"dedicated", true}};
  ASSERT_EQ(train_on(2, spec("run", common)), 0);
  EXPECT_THAT(reported("run"), ElementsAre(Pair(8, 4), Pair(11, 8), Pair(12, 12)));
  ASSERT_EQ(train_on(1, spec("alone", {{"validate_every", 4}})), 0);
  EXPECT_EQ(state("run").at("best_step"), state("alone").at("best_step"));
  EXPECT_EQ(state("run").at("best_score"), state("alone").at("best_score"));
}

TEST_F(JudgeTest, AValidationAfterEveryStepLosesNoScore) {
  ASSERT_EQ(train_on(2, spec("run", {{"validate_every", 1}, {"dedicated", true}})), 0);
  std::vector<int> judged;
  for (const auto& [line, step] : reported("run")) judged.push_back(step);
  EXPECT_THAT(judged, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

// All weights score the same when no window has a voxel of a region: none is better than the first.
TEST_F(JudgeTest, OfEqualScoresTheEarlierStepStaysTheBest) {
  Json still = {{"validate_every", 4}};
  const auto hooks = toy_hooks([](ToyMethod& method) { method.blank = true; });
  still["cache"] = toy_cache().string();
  ASSERT_EQ(train(ranked_config(still), run("run"), hooks).code, ExitCode::kDone);
  EXPECT_EQ(validation_of("run", 4).at("score"), validation_of("run", 12).at("score"));
  EXPECT_EQ(state("run").at("best_step"), 4);
}

// A request to stop must not wait until a long validation is over.
TEST_F(JudgeTest, AStopWhileAScoreIsAwaitedSavesTheStepAndTheCandidateIsJudgedLater) {
  const Json common = {{"validate_every", 6}, {"validate_lag", 1}, {"dedicated", true}};
  ASSERT_EQ(train_on(3, spec("whole", common)), 0);
  Json slow = common;
  slow["slow"] = {{"rank", 2}, {"ms", 20}};
  // Six at step boundaries; from the seventh on twice a second.
  slow["stop"] = {{"rank", 1}, {"question", 9}};
  ASSERT_EQ(train_on(3, spec("run", slow)), 75);
  EXPECT_EQ(state("run").at("step"), 7);
  EXPECT_EQ(state("run").at("candidate"), 6);
  EXPECT_TRUE(state("run").at("pending_line").is_object());
  const CheckpointStore store(posix_file_system(), run("run") / "checkpoints", 1);
  EXPECT_FALSE(store.problem(store.path(6)));  // kept until it is judged
  ASSERT_EQ(train_on(3, spec("run", common)), 0);
  expect_same_result("whole", "run");
  EXPECT_THAT(reported("run"), ElementsAre(Pair(7, 6), Pair(12, 12)));
}

// A rank that is told between two of its cases takes the others along, wherever they are.
TEST_F(JudgeTest, AStopOnOneRankBetweenTwoCasesOfASharedValidationStopsAll) {
  const Json common = {{"validate_cases", 3}};
  ASSERT_EQ(train_on(2, spec("whole", common)), 0);
  for (const int question : {6, 7, 8}) {
    const std::string name = std::to_string(question);
    Json stop = common;
    stop["stop"] = {{"rank", 1}, {"question", question}};
    ASSERT_EQ(train_on(2, spec(name, stop)), 75) << name;
    ASSERT_EQ(train_on(2, spec(name, common)), 0) << name;
    expect_same_result("whole", name);
  }
}

// The checkpoint that is being judged outlives `keep` newer ones, and a restart.
TEST_F(JudgeTest, ACandidateIsKeptUntilItIsJudged) {
  const Json often = {{"validate_every", 6}, {"checkpoint_steps", 1}, {"dedicated", true}};
  Json stop = often;
  stop["stop"] = {{"rank", 0}, {"question", 10}};
  ASSERT_EQ(train_on(2, spec("run", stop)), 75);
  EXPECT_EQ(state("run").at("step"), 10);
  EXPECT_EQ(state("run").at("candidate"), 6);
  const CheckpointStore store(posix_file_system(), run("run") / "checkpoints", 1);
  EXPECT_FALSE(store.problem(store.path(6)));
  ASSERT_EQ(train_on(2, spec("run", often)), 0);
  EXPECT_THAT(reported("run"), ElementsAre(Pair(11, 6), Pair(12, 12)));
}

// A cohort of the toy's whose first validation case is damaged: some bytes differ, none is missing.
class DamagedCase : public JudgeTest {
 protected:
  DamagedCase() : cache_(folder_ / "damaged") {
    fs::copy(toy_cache(), cache_, fs::copy_options::recursive);
    const data::Cohort cohort = data::open_cohort(cache_);
    const auto& info =
        cohort.cases[static_cast<std::size_t>(cohort.part("toy", "validation").front())];
    case_ = info.id;
    std::fstream file(cache_ / info.file, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(cache_ / info.file) / 2);
    std::string bytes(400, ' ');
    file.seekg(middle).read(bytes.data(), 400);
    for (char& each : bytes) each = static_cast<char>(each ^ 0x55);
    file.seekp(middle).write(bytes.data(), 400);
  }
  Json with(Json more) const {
    more["cache"] = cache_.string();
    more["validate_cases"] = 3;
    more["validate_every"] = 6;
    return more;
  }

  fs::path cache_;
  std::string case_;
};

TEST_F(DamagedCase, IsLeftOutOfValidationsToldOfOnceAndTrainingGoesOn) {
  ASSERT_EQ(train_on(1, spec("run", with({{"log_every", 1}}))), 0);
  const Json first = validation_of("run", 6);
  EXPECT_EQ(first.at("cases"), 2);
  EXPECT_EQ(first.at("skipped_cases"), 1);
  ASSERT_EQ(first.at("skipped").size(), 1u);
  EXPECT_EQ(first.at("skipped")[0].at("case"), case_);
  EXPECT_THAT(first.at("skipped")[0].at("reason").get<std::string>(), HasSubstr(".h5"));
  EXPECT_EQ(count_events(run("run"), "validation_case_skipped"), 1);
  EXPECT_EQ(lines_of(run("run") / "metrics.jsonl").back().at("skipped_cases"), 1);
  ASSERT_EQ(train_on(1, spec("whole", {{"validate_cases", 3}, {"validate_every", 6}})), 0);
  EXPECT_NE(validation_of("whole", 6).at("score"), first.at("score"));
  expect_same_weights("whole", "run");
}

// Ranks with fewer readable cases than others stay in step with them.
TEST_F(DamagedCase, GivesTheSameScoresOverRanksAndOnAValidationRank) {
  ASSERT_EQ(train_on(1, spec("one", with({{"steps", 6}, {"batch", 1}}))), 0);
  ASSERT_EQ(train_on(2, spec("two", with({{"steps", 6}, {"batch", 1}}))), 0);
  ASSERT_EQ(train_on(2, spec("rank", with({{"steps", 6}, {"batch", 1}, {"dedicated", true}}))), 0);
  const Json one = validation_of("one", 6);
  EXPECT_EQ(validation_of("rank", 6), one);
  EXPECT_EQ(validation_of("two", 6).at("skipped"), one.at("skipped"));
  EXPECT_EQ(validation_of("two", 6).at("cases"), 2);
  EXPECT_EQ(count_events(run("two"), "validation_case_skipped"), 1);
  EXPECT_EQ(count_events(run("rank"), "validation_case_skipped"), 1);
}

TEST_F(DamagedCase, WhenItIsTheOnlyOneThereIsNoScoreAndNoBest) {
  Json only = with({});
  only["validate_cases"] = 1;
  ASSERT_EQ(train_on(1, spec("run", only)), 0);
  EXPECT_TRUE(reported("run").empty());
  EXPECT_TRUE(state("run").at("best_step").is_null());
}

// Whatever ends a validation, the step that it is of is saved, and validated when the run goes on.
TEST_F(JudgeTest, AStepIsSavedBeforeItsValidationBegins) {
  Json common = {{"checkpoint_steps", 100}, {"validate_every", 5}};
  common["cache"] = toy_cache().string();
  ASSERT_EQ(train_on(1, spec("whole", common)), 0);
  int windows = 0;
  const auto hooks = toy_hooks([&](ToyMethod& method) {
    method.dropout = 0;  // as in the other runs
    method.on_forward = [&] {
      if (++windows == 3) throw std::runtime_error("no memory");
    };
  });
  EXPECT_THROW(train(ranked_config(common), run("run"), hooks), std::runtime_error);
  EXPECT_EQ(state("run").at("step"), 5);
  ASSERT_EQ(train_on(1, spec("run", common)), 0);
  EXPECT_EQ(metrics("run"), metrics("whole"));
  expect_same_weights("whole", "run");
  EXPECT_TRUE(state("run").at("pending_line").is_null());
}

// A crash after the line of metrics was written, before the next checkpoint: the line is not
// doubled.
TEST_F(JudgeTest, ACrashAfterAValidationLeavesNeitherGapsNorDoublesInTheMetrics) {
  Json common = {{"checkpoint_steps", 100}, {"validate_every", 2}};
  common["cache"] = toy_cache().string();
  ASSERT_EQ(train_on(1, spec("whole", common)), 0);
  for (const int fatal : {3, 5, 9}) {
    const std::string name = std::to_string(fatal);
    const auto hooks = toy_hooks([&](ToyMethod& method) {
      method.dropout = 0;  // as in the other runs
      method.on_loss = [&](const std::string& phase, const methods::Progress& at) {
        if (phase == "train" && at.step == fatal) throw std::runtime_error("lost");
      };
    });
    EXPECT_THROW(train(ranked_config(common), run(name), hooks), std::runtime_error);
    ASSERT_EQ(train_on(1, spec(name, common)), 0);
    expect_same_result("whole", name);
  }
}

}  // namespace
}  // namespace lacuna::worker

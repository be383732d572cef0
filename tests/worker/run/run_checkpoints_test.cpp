#include "worker/run/run_checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/text/parse_json.h"
#include "tests/base/faulty_file_system.h"
#include "tests/worker/toy_run.h"

namespace lacuna::worker {
namespace {

using ::testing::ElementsAre;

// A run whose steps and scores the test makes up.
class RunCheckpointsTest : public ::testing::Test {
 protected:
  RunCheckpointsTest() {
    std::filesystem::create_directories(folder_ / "stash");
    restart();
  }
  void restart() {
    checkpoints_.reset();
    run_.reset();
    run_ = std::make_unique<RunFiles>(config_, folder_ / "run", 0, nullptr);
    checkpoints_ = std::make_unique<RunCheckpoints>(config_, *run_, files_, Json::object(), true);
    progress_ = checkpoints_->find(ranks_).value_or(RunProgress());
  }
  // As the trainer after a validation: a score that is better makes its step the best.
  void validate(std::int64_t step, double score) {
    progress_.step = step;
    checkpoints_->settle_best(progress_);
    if (!progress_.best_step || score > progress_.best_score) {
      progress_.best_step = step;
      progress_.best_score = score;
      save(step);
    }
  }
  bool save(std::int64_t step) {
    progress_.step = step;
    checkpoints_->save(state_, progress_, {});
    return checkpoints_->finish();
  }
  void disk_is_full(bool full) {
    files_.free_bytes = full ? 100 : std::numeric_limits<std::uint64_t>::max();
  }
  std::vector<std::int64_t> steps() {
    return CheckpointStore(posix_file_system(), run_->checkpoints(), 2).steps();
  }
  Json newest_state() {
    return read_json(
        CheckpointStore(posix_file_system(), run_->checkpoints(), 2).path(steps().front()) /
        "state.json");
  }

  TemporaryDirectory folder_;
  FaultyFileSystem files_{folder_ / "stash"};
  RunConfig config_ = toy_config("cache");
  RankGroup ranks_{nullptr, nullptr, false, comm::Seconds(10)};
  ToyMethod method_;
  TrainingState state_{method_, 0.8};
  std::unique_ptr<RunFiles> run_;
  std::unique_ptr<RunCheckpoints> checkpoints_;
  RunProgress progress_;
};

TEST_F(RunCheckpointsTest, TheBestStaysUntilABetterOneIsOnDisk) {
  validate(24, 0.5);
  disk_is_full(true);
  validate(28, 0.9);  // is lost
  EXPECT_FALSE(checkpoints_->finish());
  validate(32, 0.4);
  EXPECT_EQ(progress_.best_step, 24);
  EXPECT_EQ(progress_.best_score, 0.5);
  disk_is_full(false);
  for (const int step : {56, 60, 64}) EXPECT_TRUE(save(step));
  EXPECT_THAT(steps(), ElementsAre(64, 60, 24));
  EXPECT_EQ(newest_state().at("best_step"), 24);
  EXPECT_EQ(newest_state().at("best_score"), 0.5);

  // Worse than what was lost, better than what is there.
  validate(68, 0.6);
  EXPECT_EQ(newest_state().at("best_step"), 68);
  for (const int step : {72, 76}) EXPECT_TRUE(save(step));
  EXPECT_THAT(steps(), ElementsAre(76, 72, 68));
}

TEST_F(RunCheckpointsTest, TheFormerBestOutlivesAFailedSaveOfTheNewOne) {
  validate(24, 0.5);
  for (const int step : {30, 36}) save(step);
  disk_is_full(true);
  validate(40, 0.6);
  EXPECT_THAT(steps(), ElementsAre(36, 30, 24));
  disk_is_full(false);
  save(44);
  EXPECT_THAT(steps(), ElementsAre(44, 36, 24));
  EXPECT_EQ(newest_state().at("best_step"), 24);
}

TEST_F(RunCheckpointsTest, ABestThatIsDamagedAtARestartIsOpenAgain) {
  validate(24, 0.5);
  save(30);
  restart();
  EXPECT_EQ(progress_.best_step, 24);
  const Path model = run_->checkpoints() / "step-00000024/model.safetensors";
  std::filesystem::resize_file(model, 10);
  restart();
  EXPECT_EQ(progress_.step, 30);
  EXPECT_EQ(progress_.best_step, std::nullopt);
  validate(36, 0.1);
  EXPECT_EQ(newest_state().at("best_step"), 36);
}

// A validation rank judges a step that was saved before; it counts as the best from its save on.
TEST_F(RunCheckpointsTest, ACandidateThatIsOnDiskCanBecomeTheBestAfterARestart) {
  progress_.candidate = 10;
  ASSERT_TRUE(save(10));
  ASSERT_TRUE(save(12));
  restart();
  ASSERT_EQ(progress_.candidate, 10);
  EXPECT_TRUE(checkpoints_->holds(10));
  progress_.candidate.reset();
  progress_.best_step = 10;
  progress_.best_score = 0.5;
  for (const int step : {14, 16, 18}) save(step);
  EXPECT_THAT(steps(), ElementsAre(18, 16, 10));
}

// A removal that fails makes no save worse: a stop right after it is a stop after a good save.
TEST_F(RunCheckpointsTest, WhatCannotBeRemovedMakesNoSaveFail) {
  for (const int step : {2, 4}) save(step);
  files_.unremovable = "step-00000002";
  for (const int step : {6, 8}) EXPECT_TRUE(save(step));
  EXPECT_EQ(checkpoints_->failures(), 0);
  EXPECT_EQ(count_events(folder_ / "run", "checkpoint_failed"), 0);
}

TEST_F(RunCheckpointsTest, RejectedOnesAreToldAndRenamed) {
  for (const int step : {2, 4}) save(step);
  std::filesystem::remove(run_->checkpoints() / "step-00000004/manifest.json");
  restart();
  EXPECT_EQ(progress_.step, 2);
  EXPECT_EQ(count_events(folder_ / "run", "checkpoint_rejected"), 1);
  restart();
  EXPECT_EQ(count_events(folder_ / "run", "checkpoint_rejected"), 1) << "told at each start";
}

}  // namespace
}  // namespace lacuna::worker

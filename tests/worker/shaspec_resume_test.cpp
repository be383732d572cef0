// A run of ShaSpec that is stopped after each of its steps and resumed: both stages, the restart of
// the learning rate between them, the subsets and the drawn lending modality.
#include <gtest/gtest.h>

#include "tests/worker/toy_run.h"

namespace lacuna::worker {
namespace {

namespace fs = std::filesystem;

// The patch is the least that keeps the gradient of a normalised zero image within float.
const fs::path& cache() {
  static const TemporaryDirectory folder;
  static const fs::path made = [] {
    data::PhantomOptions phantom;
    phantom.cases = 5;
    phantom.extent = {32, 64, 64};
    Progress quiet("phantom", "cases", phantom.cases, ProgressStyle::kQuiet);
    data::write_phantom(posix_file_system(), folder / "in", phantom, quiet);
    data::IngestOptions ingest;
    ingest.input = folder / "in";
    ingest.output = folder / "cache";
    data::ingest(ingest, posix_file_system());
    return ingest.output;
  }();
  return made;
}

// Two steps with all modalities, two with random subsets.
RunConfig config() {
  RunConfig run = toy_config(cache());
  run.method = "shaspec";
  run.method_options = {{"warm_up_steps", 3}, {"fill", "first"}};
  run.width = 0.0625;
  run.patch = data::Extent{32, 64, 64};
  run.split = "fold0";
  run.steps = 4;
  run.batch = 1;
  run.ema = 0;
  run.validate_every = 0;
  run.checkpoint_steps = 0;
  run.log_every = 1;
  return run;
}

TrainingResult run_until(const fs::path& run, int steps) {
  TrainingHooks hooks;
  hooks.progress = false;
  hooks.stop_requested = [&] {
    return lines_of(run / "metrics.jsonl").size() >= std::size_t(steps);
  };
  return train(config(), run, hooks);
}

TEST(ShaSpecRun, StoppedAfterAnyStepOfAnyStageItResumesBitEqually) {
  const TemporaryDirectory folder;
  ASSERT_EQ(run_until(folder / "whole", 100).code, ExitCode::kDone);
  const auto metrics = timeless_metrics(folder / "whole");
  ASSERT_EQ(metrics.size(), 4u);
  EXPECT_EQ(metrics[1].at("stage"), "full");
  EXPECT_EQ(metrics[2].at("stage"), "random");
  EXPECT_EQ(count_events(folder / "whole", "nonfinite"), 0);
  for (const char* part : {"dice", "bce", "shared", "domain"}) {
    EXPECT_TRUE(metrics[3].at("losses").contains(part)) << part;
  }
  for (int steps = 1; steps < 4; ++steps) {
    const fs::path run = folder / std::to_string(steps);
    ASSERT_EQ(run_until(run, steps).code, ExitCode::kSavedOnRequest) << steps;
    ASSERT_EQ(run_until(run, 100).code, ExitCode::kDone) << steps;
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const fs::path at = fs::path("checkpoints") / "step-00000004" / file;
      ASSERT_FALSE(bytes_of(folder / "whole" / at).empty()) << file;
      EXPECT_TRUE(bytes_of(run / at) == bytes_of(folder / "whole" / at)) << file << steps;
    }
    EXPECT_EQ(timeless_metrics(run), metrics) << steps;
  }
}

}  // namespace
}  // namespace lacuna::worker

#include "worker/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/held_error.h"
#include "methods/exchange/tensor_exchange.h"
#include "tests/base/faulty_file_system.h"
#include "tests/worker/toy_run.h"

namespace lacuna::worker {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

at::Tensor tensor_of(const fs::path& path, const std::string& name) {
  return methods::read_tensor(TensorFile(path), path, name);
}

class TrainerTest : public ::testing::Test {
 protected:
  // A run of the toy that nothing interrupts; made once.
  static const fs::path& reference() {
    static const TemporaryDirectory folder;
    static const fs::path run = [] {
      const fs::path path = folder / "reference";
      EXPECT_EQ(train(toy_config(toy_cache()), path, toy_hooks()).code, ExitCode::kDone);
      return path;
    }();
    return run;
  }
  void expect_as_reference(const fs::path& run) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "ema.safetensors"}) {
      const fs::path at = fs::path("checkpoints") / "step-00000012" / file;
      ASSERT_FALSE(bytes_of(reference() / at).empty()) << file;
      EXPECT_EQ(bytes_of(run / at), bytes_of(reference() / at)) << file;
    }
    EXPECT_EQ(timeless_metrics(run), timeless_metrics(reference()));
  }
  TrainingResult resume(const fs::path& run) {
    return train(toy_config(toy_cache()), run, toy_hooks());
  }
  // Stops at the n-th question whether to stop; kDone when there were fewer.
  TrainingResult stop_at(const fs::path& run, int n) {
    TrainingHooks hooks = toy_hooks();
    int asked = 0;
    hooks.stop_requested = [&] { return ++asked >= n; };
    return train(toy_config(toy_cache()), run, hooks);
  }

  TemporaryDirectory folder_;
};

TEST_F(TrainerTest, LogsEveryDueStepOnce) {
  std::vector<int> steps, validated;
  for (const Json& line : lines_of(reference() / "metrics.jsonl")) {
    steps.push_back(line.at("step"));
    EXPECT_TRUE(line.at("loss").is_number());
    EXPECT_TRUE(line.at("losses").contains("bce"));
    EXPECT_GT(line.at("samples_per_second").get<double>(), 0);
    EXPECT_GT(line.at("peak_memory_bytes").get<std::int64_t>(), 1 << 20);
    if (line.contains("validation")) validated.push_back(line.at("step"));
  }
  // Every second step, the steps with a meta phase (0, 3, 8), validations and the last.
  EXPECT_EQ(steps, (std::vector{1, 2, 4, 5, 6, 8, 9, 10, 12}));
  EXPECT_EQ(validated, (std::vector{5, 10, 12}));
}

TEST_F(TrainerTest, FollowsScheduleAndStages) {
  const auto lines = lines_of(reference() / "metrics.jsonl");
  EXPECT_NEAR(lines[0].at("lr"), 0.05, 1e-12);
  EXPECT_NEAR(lines[1].at("lr"), 0.05 * std::pow(11.0 / 12, 0.9), 1e-12);
  EXPECT_EQ(lines[4].at("stage"), "full");
  EXPECT_NEAR(lines[8].at("lr"), 0.05 * std::pow(1.0 / 12, 0.9), 1e-12);
  EXPECT_EQ(lines[8].at("stage"), "random");
  EXPECT_TRUE(lines[0].at("losses").contains("meta/bce"));
  EXPECT_FALSE(lines[1].at("losses").contains("meta/bce"));
}

TEST_F(TrainerTest, LearnsAndAMetaPhaseMovesOnlyItsOwnWeights) {
  const auto lines = lines_of(reference() / "metrics.jsonl");
  EXPECT_LT(lines.back().at("loss"), lines.front().at("loss"));
  EXPECT_NE(lines.front().at("diagnostics").at("importance"), 0.0);
  // Between two meta phases (after steps 0 and 3) the importance stands still.
  EXPECT_EQ(lines[0].at("diagnostics"), lines[1].at("diagnostics"));
  EXPECT_NE(lines[1].at("diagnostics"), lines[2].at("diagnostics"));
}

TEST_F(TrainerTest, MetaPhasesUseTheMetaCasesAndTrainingTheOthers) {
  // One meta case, drawn twice per phase run; the loss of training sees both samples of a batch.
  std::vector<std::string> calls;
  train(toy_config(toy_cache()), folder_ / "run", toy_hooks([&](ToyMethod& method) {
          method.on_loss = [&](const std::string& phase, const methods::Progress& at) {
            calls.push_back(phase + std::to_string(at.step));
          };
        }));
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "meta0"), 2);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "meta3"), 2);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "meta6"), 0);  // period 4 in the second stage
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "meta8"), 2);
  EXPECT_EQ(calls.size(), 12u + 6u);
}

// Wherever the request comes (each question is a step boundary or a validation case).
TEST_F(TrainerTest, StoppedOnRequestAnywhereItResumesBitEqually) {
  bool stopped = true;
  int n = 1;
  for (; stopped; ++n) {
    const fs::path run = folder_ / std::to_string(n);
    const TrainingResult first = stop_at(run, n);
    stopped = first.code == ExitCode::kSavedOnRequest;
    if (!stopped) {
      EXPECT_EQ(first.code, ExitCode::kDone);
    }
    EXPECT_EQ(resume(run).code, ExitCode::kDone) << n;
    expect_as_reference(run);
    if (HasFailure()) FAIL() << "stopped at question " << n;
  }
  EXPECT_GT(n, 12);
}

TEST_F(TrainerTest, AFinishedRunSaysSoAndTrainsNoMore) {
  const fs::path run = folder_ / "run";
  resume(run);
  int losses = 0;
  const auto again =
      train(toy_config(toy_cache()), run,
            toy_hooks([&](ToyMethod& method) { method.on_loss = [&](auto&&...) { ++losses; }; }));
  EXPECT_EQ(again.code, ExitCode::kDone);
  EXPECT_EQ(again.step, 12);
  EXPECT_EQ(losses, 0);
  expect_as_reference(run);
}

TEST_F(TrainerTest, ADamagedNewestCheckpointCostsOneIntervalOnly) {
  const fs::path run = folder_ / "run";
  stop_at(run, 8);  // saved at 3 and 6 by interval, and at the stop
  const fs::path checkpoints = run / "checkpoints";
  std::vector<fs::path> all(fs::directory_iterator(checkpoints), fs::directory_iterator{});
  std::sort(all.begin(), all.end());
  ASSERT_GE(all.size(), 2u);
  std::fstream model(all.back() / "model.safetensors", std::ios::in | std::ios::out);
  model.seekp(-1, std::ios::end);
  model.put('\x7f');
  model.close();
  EXPECT_EQ(resume(run).code, ExitCode::kDone);
  EXPECT_EQ(count_events(run, "checkpoint_rejected"), 1);
  expect_as_reference(run);
}

TEST_F(TrainerTest, AFullDiskStopsNoTrainingAndTheRunEndsOnceThereIsSpace) {
  const fs::path run = folder_ / "run";
  fs::create_directories(folder_ / "stash");
  FaultyFileSystem full(folder_ / "stash");
  full.free_bytes = 24'000;  // room for two checkpoints or three
  TrainingHooks hooks = toy_hooks();
  hooks.checkpoint_files = &full;
  try {
    train(toy_config(toy_cache()), run, hooks);
    FAIL() << "the last checkpoint cannot have been saved";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("step 12 could not be saved"));
  }
  EXPECT_GT(count_events(run, "checkpoint"), 0);
  EXPECT_GT(count_events(run, "checkpoint_failed"), 1);
  EXPECT_EQ(lines_of(run / "metrics.jsonl").back().at("step"), 12);
  EXPECT_EQ(resume(run).code, ExitCode::kDone);
  expect_as_reference(run);
}

TEST_F(TrainerTest, ASecondProcessIsRefused) {
  const fs::path run = folder_ / "run";
  TrainingHooks hooks = toy_hooks();
  std::string refusal;
  hooks.stop_requested = [&] {
    try {
      resume(run);
    } catch (const HeldError& error) {
      refusal = error.what();
    }
    return true;
  };
  EXPECT_EQ(train(toy_config(toy_cache()), run, hooks).code, ExitCode::kSavedOnRequest);
  EXPECT_THAT(refusal, HasSubstr(std::to_string(::getpid())));
}

TEST_F(TrainerTest, AnotherConfigurationIsRefusedNamingTheKeys) {
  const fs::path run = folder_ / "run";
  stop_at(run, 1);
  RunConfig other = toy_config(toy_cache());
  other.resolved["train"]["batch"] = 4;
  try {
    train(other, run, toy_hooks());
    FAIL() << "another configuration was accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("train.batch: 2, 4"));
    EXPECT_EQ(error.code(), ExitCode::kBadUsage);
  }
}

TEST_F(TrainerTest, AStepWithoutFiniteLossIsSkippedAndCounted) {
  const fs::path run = folder_ / "run";
  const auto result = train(toy_config(toy_cache()), run, toy_hooks([](ToyMethod& method) {
                              method.poison = [](const std::string& phase, const auto& at) {
                                return phase == "train" && (at.step == 4 || at.step == 7);
                              };
                            }));
  EXPECT_EQ(result.code, ExitCode::kDone);
  const Json last = lines_of(run / "metrics.jsonl").back();
  EXPECT_EQ(last.at("skipped_steps"), 2);
  EXPECT_TRUE(last.at("loss").is_number());
  EXPECT_EQ(count_events(run, "nonfinite"), 2);
}

// One bad batch must not stay in a running mean, and what it would have given counts nowhere.
TEST_F(TrainerTest, SkippedStepsMoveNeitherAverageNorRunningStatistics) {
  const fs::path run = folder_ / "run";
  RunConfig config = toy_config(toy_cache());
  config.nonfinite_limit = 10;
  config.checkpoint_keep = 10;
  EXPECT_EQ(train(config, run, toy_hooks([](ToyMethod& method) {
                    method.poison = [](const std::string& phase, const auto& at) {
                      return phase == "train" && at.step >= 10;
                    };
                  }))
                .code,
            ExitCode::kDone);
  const fs::path good = run / "checkpoints/step-00000010", bad = run / "checkpoints/step-00000012";
  ASSERT_FALSE(bytes_of(good / "ema.safetensors").empty());
  EXPECT_EQ(bytes_of(bad / "ema.safetensors"), bytes_of(good / "ema.safetensors"));
  const auto running = [](const fs::path& checkpoint) {
    return tensor_of(checkpoint / "model.safetensors", "running").item<float>();
  };
  EXPECT_NE(running(good), 0);
  EXPECT_EQ(running(bad), running(good));
}

// Stage "random" begins by halving a bias: its average starts from there.
TEST_F(TrainerTest, TheAverageOfWeightsThatAStageHandsOnStartsAnew) {
  const fs::path run = folder_ / "run";
  RunConfig config = toy_config(toy_cache());
  config.ema = 0.999999;
  at::Tensor bias, handed_on;
  train(config, run, toy_hooks([&](ToyMethod& method) {
          bias = method.module().named_parameters()["last.bias"];
          method.on_loss = [&](const std::string&, const methods::Progress& at) {
            if (at.step == 6 && !handed_on.defined()) handed_on = bias.detach().clone();
          };
        }));
  const at::Tensor average =
      tensor_of(run / "checkpoints/step-00000012/ema.safetensors", "last.bias");
  EXPECT_TRUE(torch::allclose(average, handed_on, 1e-3, 1e-5));
}

TEST_F(TrainerTest, EveryStartSaysWhatComputesFromThereOn) {
  const fs::path run = folder_ / "run";
  stop_at(run, 4);
  resume(run);
  int starts = 0;
  for (const Json& line : lines_of(run / "events.jsonl")) {
    if (line.at("event") != "start" && line.at("event") != "resume") continue;
    ++starts;
    for (const char* key : {"lacuna", "commit", "torch", "host", "device"}) {
      EXPECT_FALSE(line.at(key).get<std::string>().empty()) << key;
    }
    EXPECT_EQ(line.at("device"), "cpu");
    EXPECT_EQ(line.at("threads"), 1);
    EXPECT_EQ(line.at("ranks"), 1);
  }
  EXPECT_EQ(starts, 2);
}

TEST_F(TrainerTest, TooManySkippedStepsInARowAreADivergedRun) {
  const auto result =
      train(toy_config(toy_cache()), folder_ / "run", toy_hooks([](ToyMethod& method) {
              method.poison = [](const std::string&, const auto& at) { return at.step >= 5; };
            }));
  EXPECT_EQ(result.code, ExitCode::kDiverged);
  EXPECT_EQ(result.step, 8);
}

TEST_F(TrainerTest, KeepsTheBestCheckpoint) {
  const Json state = read_json(reference() / "checkpoints" / "step-00000012" / "state.json");
  const int best = state.at("best_step");
  EXPECT_TRUE(fs::exists(reference() / "checkpoints" / fmt::format("step-{:08}", best)));
  double highest = 0;
  for (const Json& line : lines_of(reference() / "metrics.jsonl")) {
    if (line.contains("validation"))
      highest = std::max(highest, line["validation"]["score"].get<double>());
  }
  EXPECT_EQ(state.at("best_score"), highest);
}

TEST_F(TrainerTest, APatchThatDoesNotFitIsRefusedNamingAllowedSizes) {
  RunConfig config = toy_config(toy_cache());
  config.patch = data::Extent{16, 18, 16};
  try {
    train(config, folder_ / "run", toy_hooks());
    FAIL() << "the patch was accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("H is 18, allowed: multiples of 4 (nearest: 16 or 20)"));
  }
}

}  // namespace
}  // namespace lacuna::worker

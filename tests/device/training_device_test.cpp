// A whole training on a device that is not the CPU: loader, meta phase, moving average, validation,
// checkpoints, resume.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "tests/device/pretend_device.h"
#include "tests/worker/toy_run.h"

namespace lacuna::worker {
namespace {

class TrainingOnADevice : public ::testing::Test {
 protected:
  TrainingOnADevice() { pretend::start(); }

  TrainingResult run(const std::filesystem::path& directory, std::optional<at::Device> device,
                     std::int64_t until = 100) {
    TrainingHooks hooks = toy_hooks();
    hooks.device = device;
    hooks.stop_requested = [&, until] {
      return lines_of(directory / "metrics.jsonl").size() >= static_cast<std::size_t>(until);
    };
    RunConfig config = toy_config(toy_cache());
    config.log_every = 1;
    return train(config, directory, hooks);
  }
  const TemporaryDirectory folder_;
};

TEST_F(TrainingOnADevice, FollowsThatOnTheCpu) {
  ASSERT_EQ(run(folder_ / "cpu", std::nullopt).code, ExitCode::kDone);
  pretend::reset();
  ASSERT_EQ(run(folder_ / "device", pretend::kDevice).code, ExitCode::kDone);
  EXPECT_GT(pretend::counts().launches, 100);
  const auto cpu = lines_of(folder_ / "cpu" / "metrics.jsonl");
  const auto device = lines_of(folder_ / "device" / "metrics.jsonl");
  ASSERT_EQ(device.size(), cpu.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    const double expected = cpu[i].at("loss").get<double>();
    EXPECT_NEAR(device[i].at("loss").get<double>(), expected, 1e-3 * std::abs(expected)) << i;
    ASSERT_EQ(device[i].contains("validation"), cpu[i].contains("validation")) << i;
    if (!cpu[i].contains("validation")) continue;
    EXPECT_NEAR(device[i]["validation"]["score"].get<double>(),
                cpu[i]["validation"]["score"].get<double>(), 0.02);
  }
}

TEST_F(TrainingOnADevice, ResumesBitEqually) {
  ASSERT_EQ(run(folder_ / "whole", pretend::kDevice).code, ExitCode::kDone);
  ASSERT_EQ(run(folder_ / "parts", pretend::kDevice, 5).code, ExitCode::kSavedOnRequest);
  ASSERT_EQ(run(folder_ / "parts", pretend::kDevice).code, ExitCode::kDone);
  for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors"}) {
    const auto path = std::filesystem::path("checkpoints/step-00000012") / file;
    ASSERT_FALSE(bytes_of(folder_ / "whole" / path).empty()) << file;
    EXPECT_TRUE(bytes_of(folder_ / "whole" / path) == bytes_of(folder_ / "parts" / path)) << file;
  }
}

}  // namespace
}  // namespace lacuna::worker

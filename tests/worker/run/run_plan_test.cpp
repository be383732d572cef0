#include "worker/run/run_plan.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>

#include "base/error.h"
#include "tests/worker/toy_method.h"

namespace lacuna::worker {
namespace {

// Two stages of a given length, with a meta phase of a period each.
class StagedMethod final : public methods::Method {
 public:
  torch::nn::Module& module() override { return *module_; }
  std::vector<methods::ParameterGroup> groups() override { return {}; }
  std::vector<methods::Stage> stages(std::int64_t) const override {
    return {stage("one", 80'000, 100), stage("two", 35'000, 500)};
  }
  data::DataRecipe recipe() const override { return {}; }
  methods::InferenceRecipe inference() const override { return {}; }
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  methods::Loss loss(const std::string&, const methods::Batch&, const methods::Progress&) override {
    return {};
  }
  at::Tensor forward(const at::Tensor& image, data::SubsetMask) override { return image; }

  static methods::Stage stage(const char* name, std::int64_t steps, std::int64_t period) {
    methods::Phase train{"train", {}}, meta{"meta", {}};
    meta.on_meta_set = true;
    meta.period = period;
    meta.repeats = 20;
    return {name, steps, {}, {train, meta}};
  }

 private:
  torch::nn::Linear module_ = torch::nn::Linear(1, 1);
};

RunConfig config_of(std::int64_t steps) {
  RunConfig config;
  config.steps = steps;
  return config;
}

// MCKD: phases at 0, 100, ..., 79,900 and 80,000, 80,500, ..., 114,500: 870 phases
// of 20 updates, 17,400 in total.
TEST(RunPlan, MetaPhasesFallWhereTheCardSays) {
  const StagedMethod method;
  const RunPlan plan(method, config_of(115'000));
  std::int64_t runs = 0, batches = 0;
  for (std::int64_t step = 0; step < 115'000; ++step) {
    const int stage = plan.stage_at(step);
    EXPECT_EQ(stage, step < 80'000 ? 0 : 1);
    const auto& meta = plan.stages()[static_cast<std::size_t>(stage)].phases[1];
    if (!RunPlan::is_due(meta, step)) continue;
    ASSERT_EQ(plan.meta_batch(stage, meta, step), batches) << step;
    ++runs;
    batches += meta.repeats;
  }
  EXPECT_EQ(runs, 800 + 70);
  EXPECT_EQ(batches, 17'400);
}

TEST(RunPlan, AppliesTheRunsOverrides) {
  const StagedMethod method;
  RunConfig config = config_of(115'000);
  config.meta_period = 7;
  config.meta_repeats = 3;
  config.subsets = Json{{"policy", "full"}};
  const RunPlan plan(method, config);
  for (const auto& stage : plan.stages()) {
    EXPECT_EQ(stage.phases[1].period, 7);
    EXPECT_EQ(stage.phases[1].repeats, 3);
    EXPECT_EQ(stage.phases[0].period, 1);
    EXPECT_EQ(stage.subsets, (Json{{"policy", "full"}}));
  }
}

TEST(RunPlan, StagesThatDoNotAddUpAreAnError) {
  EXPECT_THROW(RunPlan(StagedMethod(), config_of(1000)), Error);
}

// A loss over the whole batch needs as many samples on every rank, and equal micro-batches.
TEST(RunPlan, ALossOverTheBatchNeedsEqualParts) {
  ToyMethod toy;
  RunConfig config = config_of(12);
  config.batch = 6;
  EXPECT_FALSE(RunPlan(toy, config, 4).any_joint());
  toy.joint = true;
  EXPECT_TRUE(RunPlan(toy, config, 2).any_joint());
  config.micro_batch = 1;
  RunPlan(toy, config, 2);
  config.micro_batch = 3;
  RunPlan(toy, config, 2);
  config.micro_batch = 8;  // more than there is: all at once
  RunPlan(toy, config, 2);
  config.micro_batch = 2;
  const auto refusal = [&](int trainers) {
    try {
      RunPlan(toy, config, trainers);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal(2).find("divisor of 3"), std::string::npos) << refusal(2);
  config.micro_batch = 0;
  EXPECT_NE(refusal(4).find("4 or 8"), std::string::npos) << refusal(4);
}

}  // namespace
}  // namespace lacuna::worker

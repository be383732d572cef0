#include "worker/step/phase_step.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "tests/worker/toy_method.h"

namespace lacuna::worker {
namespace {

// A loss without randomness, so that micro-batches can be compared.
class SquareMethod final : public methods::Method {
 public:
  SquareMethod() {
    const torch::NoGradGuard no_grad;
    module_->weight.fill_(0.5);
  }
  torch::nn::Module& module() override { return *module_; }
  std::vector<methods::ParameterGroup> groups() override {
    return {{"weight", {"weight"}}, {"bias", {"bias"}}};
  }
  std::vector<methods::Stage> stages(std::int64_t) const override { return {}; }
  data::DataRecipe recipe() const override { return {}; }
  methods::InferenceRecipe inference() const override { return {}; }
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  methods::Loss loss(const std::string&, const methods::Batch& batch,
                     const methods::Progress&) override {
    samples_seen.push_back(batch.image.size(0));
    available_seen.push_back(batch.available);
    bf16_seen = at::autocast::is_autocast_enabled(at::kCPU);
    const at::Tensor square = (batch.image.flatten(1).mean(1) * module_->weight).square().mean();
    return {square, {{"square", square}}};
  }
  at::Tensor forward(const at::Tensor& image, data::SubsetMask) override { return image; }

  struct Module : torch::nn::Module {
    at::Tensor weight = register_parameter("weight", torch::zeros({1}));
    at::Tensor bias = register_parameter("bias", torch::zeros({1}));
  };
  std::shared_ptr<Module> module_ = std::make_shared<Module>();
  std::vector<std::int64_t> samples_seen;
  std::vector<std::vector<data::SubsetMask>> available_seen;
  bool bf16_seen = false;
};

class PhaseStepTest : public ::testing::Test {
 protected:
  PhaseStepTest() {
    batch_.image = torch::tensor({1.0f, 2.0f, 3.0f}).view({3, 1, 1, 1, 1});
    batch_.label = torch::zeros({3, 1, 1, 1}, at::kByte);
    batch_.subsets = {{1, 1, 1}};
    batch_.sample_index = {0, 1, 2};
    batch_.origin.resize(3);
    phase_.name = "train";
    methods::TrainedGroup trained{"weight", {}, {}};
    trained.optimizer.kind = methods::OptimizerSpec::Kind::kSgd;
    trained.optimizer.learning_rate = 0.1;
    phase_.trains = {trained};
  }
  PhaseOutcome run(const PhaseSettings& settings) {
    return run_phase(method_, state_, phase_, batch_, {}, settings);
  }

  SquareMethod method_;
  TrainingState state_{method_, 0};
  methods::Batch batch_;
  methods::Phase phase_;
};

// Loss mean((x w)^2) = 14/3 w^2; gradient 28/3 w = 14/3 at w = 0.5.
TEST_F(PhaseStepTest, TakesOneStepDownTheGradient) {
  const PhaseOutcome outcome = run({});
  EXPECT_NEAR(outcome.loss, 14.0 / 3 * 0.25, 1e-6);
  EXPECT_NEAR(outcome.gradient_norms.at("weight"), 14.0 / 3, 1e-5);
  EXPECT_NEAR(method_.module_->weight.item<double>(), 0.5 - 0.1 * 14 / 3, 1e-6);
  EXPECT_DOUBLE_EQ(outcome.learning_rates.at("weight"), 0.1);
}

// Three samples in parts of two and one: each part counts with its share.
TEST_F(PhaseStepTest, MicroBatchesAddUpToTheBatch) {
  batch_.available = {1, 0b11, 0b10};
  const PhaseOutcome outcome = run({.micro_batch = 2});
  EXPECT_EQ(method_.samples_seen, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(method_.available_seen,
            (std::vector<std::vector<data::SubsetMask>>{{1, 0b11}, {0b10}}));
  EXPECT_NEAR(outcome.loss, 14.0 / 3 * 0.25, 1e-6);
  EXPECT_NEAR(outcome.parts.at(0).second, 14.0 / 3 * 0.25, 1e-6);
  EXPECT_NEAR(method_.module_->weight.item<double>(), 0.5 - 0.1 * 14 / 3, 1e-6);
}

TEST_F(PhaseStepTest, ParametersOutsideThePhaseAreFrozen) {
  run({});
  EXPECT_TRUE(method_.module_->weight.requires_grad());
  EXPECT_FALSE(method_.module_->bias.requires_grad());
}

TEST_F(PhaseStepTest, Bf16LastsForTheForwardPassOnly) {
  run({.bf16 = true});
  EXPECT_TRUE(method_.bf16_seen);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  run({});
  EXPECT_FALSE(method_.bf16_seen);
}

TEST_F(PhaseStepTest, NothingMovesWhenTheLossOrTheGradientIsNotFinite) {
  batch_.image[1] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(run({}).finite);
  EXPECT_EQ(method_.module_->weight.item<double>(), 0.5);
  batch_.image[1] = 1e20f;  // the loss 1e40 overflows in float
  EXPECT_FALSE(run({.micro_batch = 1}).finite);
  EXPECT_EQ(method_.module_->weight.item<double>(), 0.5);
}

}  // namespace
}  // namespace lacuna::worker

// bf16 as numbers: what autocast keeps of one step must not reach the next.
#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "worker/step/phase_step.h"

namespace lacuna::worker {
namespace {

// loss = w * 1, through an operator whose weight autocast casts and keeps.
class LinearMethod final : public methods::Method {
 public:
  LinearMethod() {
    const torch::NoGradGuard no_gradient;
    module_->weight.fill_(1);
  }
  torch::nn::Module& module() override { return *module_; }
  std::vector<methods::ParameterGroup> groups() override { return {{"weight", {"weight"}}}; }
  std::vector<methods::Stage> stages(std::int64_t) const override { return {}; }
  data::DataRecipe recipe() const override { return {}; }
  methods::InferenceRecipe inference() const override { return {}; }
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  methods::Loss loss(const std::string&, const methods::Batch& batch,
                     const methods::Progress&) override {
    const at::Tensor rows = batch.image.flatten(1);
    const at::Tensor made = at::linear(rows, module_->weight);
    type = made.scalar_type();
    const at::Tensor square = made.to(at::kFloat).square().mean();
    return {square, {{"square", square}}};
  }
  at::Tensor forward(const at::Tensor& image, data::SubsetMask) override { return image; }

  struct Module : torch::nn::Module {
    at::Tensor weight = register_parameter("weight", torch::zeros({1, 1}));
  };
  std::shared_ptr<Module> module_ = std::make_shared<Module>();
  at::ScalarType type = at::kFloat;
};

// w = 1 with rate 0.25: w <- w - 0.25 * 2 w = 0.5. Losses 1, then 0.25, exact in bfloat16.
TEST(Autocast, EveryStepCastsThePresentWeights) {
  LinearMethod method;
  TrainingState state(method, 0);
  methods::Phase phase;
  phase.name = "train";
  methods::TrainedGroup trained{"weight", {}, {}};
  trained.optimizer.kind = methods::OptimizerSpec::Kind::kSgd;
  trained.optimizer.learning_rate = 0.25;
  phase.trains = {trained};
  methods::Batch batch;
  batch.image = torch::ones({2, 1, 1, 1, 1});
  batch.label = torch::zeros({2, 1, 1, 1}, at::kByte);
  batch.subsets = {{1, 1}};
  batch.sample_index = {0, 1};
  batch.origin.resize(2);
  const PhaseSettings bf16{0, true};
  EXPECT_EQ(run_phase(method, state, phase, batch, {}, bf16).loss, 1);
  EXPECT_EQ(method.type, at::kBFloat16);  // or the test has shown nothing
  EXPECT_EQ(run_phase(method, state, phase, batch, {}, bf16).loss, 0.25);
}

// What must move along during a step is given its chance before each micro-batch and at each
// gradient.
TEST(PhaseStep, GivesWayBeforeEachMicroBatchAndAtEachGradient) {
  LinearMethod method;
  TrainingState state(method, 0);
  methods::Phase phase;
  phase.name = "train";
  phase.trains = {{"weight", {}, {}}};
  methods::Batch batch;
  batch.image = torch::ones({2, 1, 1, 1, 1});
  batch.label = torch::zeros({2, 1, 1, 1}, at::kByte);
  batch.subsets = {{1, 1}};
  batch.sample_index = {0, 1};
  batch.origin.resize(2);
  int calls = 0;
  const std::function<void()> count = [&] { ++calls; };
  run_phase(method, state, phase, batch, {}, {1, false, &count});
  EXPECT_EQ(calls, 2 + 2);
  run_phase(method, state, phase, batch, {}, {1, false});  // the hooks are gone
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace lacuna::worker

// Stages, learning rates and the meta forward pass of MCKD,
// and the gradient of a batch whose samples keep different modalities.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/mckd/importance_weights.h"
#include "methods/mckd/method.h"

namespace lacuna::methods::mckd {
namespace {

Method make(const Json& options = Json::object()) {
  MethodSettings settings;
  settings.width = 0.0625;
  settings.options = Schema(binding().declared()).resolve(options, "test");
  torch::manual_seed(1);
  Method method(settings);
  method.initialise();
  return method;
}

// The rate of a stage's first phase at published iteration i, which is also the run step.
double rate(const std::vector<Stage>& stages, std::size_t stage, std::int64_t i) {
  const TrainedGroup& group = stages[stage].phases[0].trains[0];
  EXPECT_EQ(group.schedule.kind, ScheduleSpec::Kind::kPoly);
  const std::int64_t begin = stage == 0 ? 0 : stages[0].steps;
  const double position = static_cast<double>(group.schedule.first + i - begin);
  return group.optimizer.learning_rate *
         std::pow(1 - position / static_cast<double>(group.schedule.horizon), group.schedule.power);
}

TEST(MckdCard, LearningRatesAreThePublishedOnes) {
  const auto stages = make().stages(115000);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_NEAR(rate(stages, 0, 0), 1e-2, 1e-15);
  EXPECT_NEAR(rate(stages, 0, 40000), 5.35887e-3, 5e-9);
  EXPECT_NEAR(rate(stages, 1, 79999), 3.42803e-3, 5e-9);
  EXPECT_NEAR(rate(stages, 1, 100000), 1.59902e-3, 5e-9);
  EXPECT_NEAR(rate(stages, 1, 114999), 2.7885e-7, 5e-12);
  EXPECT_EQ(stages[0].steps + stages[1].steps, 115000);
  for (const Stage& stage : stages) {
    const TrainedGroup& importance = stage.phases[1].trains[0];
    EXPECT_EQ(importance.optimizer.learning_rate, 1e-2);
    EXPECT_EQ(importance.schedule.kind, ScheduleSpec::Kind::kConstant);
  }
}

TEST(Mckd, ASmallBudgetKeepsTheProportionOfTheStages) {
  const auto stages = make().stages(1150);
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].steps, 799);
  EXPECT_EQ(stages[1].steps, 351);
  std::int64_t one = 0;
  for (const Stage& stage : make().stages(1)) one += stage.steps;
  EXPECT_EQ(one, 1);
}

// Check 8: features 1, 2, 4, 8 and weights (0.2, 0.2, 0.4, 0.2) -> slots 0.2, 0.4, 1.6, 1.6.
TEST(MckdCard, TheMetaForwardScalesEverySlotByItsWeight) {
  const at::Tensor raw = torch::tensor({0.0, 0.0, std::log(2.0), 0.0}, at::kDouble);
  const at::Tensor slots = importance(raw, ImportanceNormalisation::kSoftmax) *
                           torch::tensor({1.0, 2.0, 4.0, 8.0}, at::kDouble);
  EXPECT_TRUE(slots.allclose(torch::tensor({0.2, 0.4, 1.6, 1.6}, at::kDouble)));
  // Equal weights over four modalities divide the decoder's input by 4: the meta loss is that of a
  // network whose bottleneck is a quarter.
  Method method = make();
  method.module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  method.network().raw_importance.fill_(0.7);
  torch::manual_seed(2);
  Batch batch;
  batch.image = torch::randn({1, 4, 16, 32, 32}, at::kDouble);
  batch.label = torch::randint(0, 4, {1, 16, 32, 32}, at::kByte);
  batch.subsets = {{0b1111}};
  const at::Tensor meta = method.loss("meta", batch, {}).output;
  auto features = method.network().encode(batch.image, batch.subsets[0]);
  const at::Tensor expected = method.network().decode(features.bottleneck / 4, features.skips);
  EXPECT_LT((meta - expected).abs().max().item<double>(), 1e-9);
}

// A missing modality is encoded once for the whole batch; the loss and gradients are those of
// encoding each zero image on its own, which a batch of complete subsets does.
TEST(Mckd, SharedZeroImagesGiveTheGradientsOfSeparateOnes) {
  Method method = make();
  method.module().to(at::kDouble);
  torch::manual_seed(3);
  {
    // Fresh shifts are 0, which makes every feature of a zero image 0: nothing to compare.
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& parameter : method.network().encoder().parameters()) {
      if (parameter.dim() == 1) parameter.add_(torch::randn_like(parameter), 0.1);
    }
  }
  at::Tensor image = torch::randn({2, 4, 16, 32, 32}, at::kDouble);
  const std::vector<SubsetMask> subsets{0b0101, 0b1010};
  at::Tensor zeroed = image.clone();
  for (const auto& [sample, modality] : {std::pair{0, 1}, {0, 3}, {1, 0}, {1, 2}}) {
    zeroed[sample][modality].zero_();
  }
  const auto gradients = [&](const at::Tensor& x, const std::vector<SubsetMask>& given) {
    method.module().zero_grad();
    const auto features = method.network().encode(x, given);
    at::Tensor sum = features.bottleneck.square().sum();
    for (const at::Tensor& skip : features.skips) sum = sum + skip.square().sum();
    sum.backward();
    std::vector<at::Tensor> result;
    for (const at::Tensor& parameter : method.network().encoder().parameters()) {
      result.push_back(parameter.grad().defined() ? parameter.grad().clone()
                                                  : at::zeros_like(parameter));
    }
    return result;
  };
  const auto shared = gradients(image, subsets);
  const auto separate = gradients(zeroed, {0b1111, 0b1111});
  for (std::size_t i = 0; i < shared.size(); ++i) {
    const double scale = separate[i].norm().item<double>();
    EXPECT_LT((shared[i] - separate[i]).norm().item<double>(), 1e-8 * scale + 1e-9) << i;
  }
}

}  // namespace
}  // namespace lacuna::methods::mckd

// MCKD against the published code: outputs, losses, gradient norms and the meta step for weights
// and inputs that a formula makes (tests/parity/README.md).
#include "tests/methods/parity.h"

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/mckd/method.h"

namespace lacuna::methods::mckd {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors made("mckd");
  return made;
}

// One network per type for all tests: filling 44 million weights takes a second.
Method& method(at::ScalarType type) {
  static std::map<at::ScalarType, std::unique_ptr<Method>> made;
  auto& slot = made[type];
  if (!slot) {
    MethodSettings settings;
    settings.options = Schema(binding().declared()).resolve({{"official", true}}, "test");
    slot = std::make_unique<Method>(settings);
    fill_weights(*slot, 1);
    slot->module().to(type);
  }
  return *slot;
}

TEST(MckdParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(method(at::kDouble), vectors(), "multihead_attn.");
}

class MckdParityEval : public ::testing::TestWithParam<const char*> {};

TEST_P(MckdParityEval, OutputsAgreeInFloat) {
  const Json& example = vectors().named(GetParam());
  const torch::NoGradGuard no_grad;
  const at::Tensor output =
      method(at::kFloat).forward(vectors().input(example, at::kFloat), subset_of(example));
  EXPECT_LT(vectors().sample_error(output, example["outputs"][0]), float_tolerance(example));
}

TEST_P(MckdParityEval, OutputsAgreeInDouble) {
  const Json& example = vectors().named(GetParam());
  const torch::NoGradGuard no_grad;
  const at::Tensor output =
      method(at::kDouble).forward(vectors().input(example, at::kDouble), subset_of(example));
  expect_moments(output, example["outputs"][0], 1e-9);
  EXPECT_LT(vectors().sample_error(output, example["outputs"][0]), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Subsets, MckdParityEval,
                         ::testing::Values("all", "FLAIR", "T1c+T2", "T1"));

TEST(MckdParity, EveryLevelOfEncoderAndDecoderAgrees) {
  const Json& example = vectors().named("all");
  const torch::NoGradGuard no_grad;
  Network& network = method(at::kDouble).network();
  const at::Tensor image = vectors().input(example, at::kDouble);
  const models::EncoderOutput flair = network.encoder().forward(image.narrow(1, 0, 1));
  const auto features = network.encode(image, {subset_of(example)});
  std::map<std::string, at::Tensor> found = {
      {"shared_L0_FLAIR", flair.skips[0]},
      {"shared_L1_FLAIR", flair.skips[1]},
      {"shared_L2_FLAIR", flair.skips[2]},
      {"shared_L3_FLAIR", flair.skips[3]},
      {"shared_L4_FLAIR", flair.deepest},
      {"shared_R_FLAIR", flair.reduced},
      {"shared_f_FLAIR", flair.bottleneck},
      {"fused_bottleneck", features.bottleneck.flatten(1, 2)}};
  at::Tensor x = found.at("fused_bottleneck");
  for (int level = 3; level >= 0; --level) {
    const at::Tensor skip = features.skips[static_cast<std::size_t>(level)].flatten(1, 2);
    x = network.decoder().stage(level, x, network.decoder().shortcut(level, skip));
    found["decoder_stage" + std::to_string(level)] = x;
  }
  for (const Json& about : example["intermediates"]) {
    const auto what = about["what"].get<std::string>();
    SCOPED_TRACE(what);
    ASSERT_TRUE(found.contains(what));
    EXPECT_EQ(found[what].sizes().vec(), about["shape"].get<std::vector<std::int64_t>>());
    expect_moments(found[what], about, 1e-9);
    EXPECT_LT(vectors().sample_error(found[what], about), 1e-6);
  }
}

bool has_gradients(const Json& example) {
  return example.contains("gradients") && !example["gradients"].empty();
}

// What the phase of a case says, with the gradients where the vectors have them.
Comparison run_case(const Json& example, at::ScalarType type) {
  const std::string phase = example.value("phase", std::string("train"));
  const Batch batch = parity_batch(vectors(), example, type);
  return has_gradients(example) ? compare_phase(method(type), phase, batch, {})
                                : losses_of(method(type), phase, batch);
}

void expect_case(const char* name) {
  const Json& example = vectors().named(name);
  const Comparison result = run_case(example, at::kDouble);
  expect_moments(result.output, example["outputs"][0], 1e-9);
  if (example["outputs"][0].contains("tensor")) {
    EXPECT_LT(vectors().sample_error(result.output, example["outputs"][0]), 1e-6);
  }
  expect_losses(result, example, 1e-9);
  if (has_gradients(example)) expect_gradients(result, example, 1e-9, 1e-9);
}

class MckdParityTrain : public ::testing::TestWithParam<const char*> {};

TEST_P(MckdParityTrain, LossesAndGradientsAgreeInDouble) { expect_case(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Cases, MckdParityTrain,
                         ::testing::Values("train/T1c+T2", "train/all", "train_batch2/T1c+T2",
                                           "meta/T1c+T2"));

TEST(MckdParity, LossesAgreeInFloat) {
  for (const char* name :
       {"train/T1c+T2", "train/all", "train_batch2/T1c+T2", "meta/all", "meta/T1c+T2"}) {
    SCOPED_TRACE(name);
    const Json& example = vectors().named(name);
    const Comparison result = run_case(example, at::kFloat);
    expect_losses(result, example, 1e-3);
    // Instance norm amplifies the rounding of constant feature maps about 300 times (README), so
    // the small norms of the first layers are compared on the scale of the largest one.
    if (has_gradients(example)) {
      expect_gradients(result, example, 2e-2, 2e-3 * largest_gradient(result));
    }
  }
}

TEST(MckdParity, MetaLossesGradientsAndStepAgreeInDouble) {
  const Json& example = vectors().named("meta/all");
  Method& mckd = method(at::kDouble);
  at::Tensor raw = mckd.network().raw_importance;
  expect_case("meta/all");
  const auto softmax = example["w_softmax"].get<std::vector<double>>();
  const auto gradient = example["w_gradient"].get<std::vector<double>>();
  const auto after = example["w_after_step"].get<std::vector<double>>();
  for (std::int64_t m = 0; m < 4; ++m) {
    const auto i = static_cast<std::size_t>(m);
    EXPECT_NEAR(raw.softmax(0)[m].item<double>(), softmax[i], 1e-9);
    EXPECT_NEAR(raw.grad()[m].item<double>(), gradient[i], 1e-9 * std::abs(gradient[i]) + 1e-13);
  }
  const at::Tensor before = raw.detach().clone();
  torch::optim::Adam adam({raw}, torch::optim::AdamOptions(1e-2).weight_decay(5e-4));
  adam.step();
  for (std::int64_t m = 0; m < 4; ++m) {
    EXPECT_NEAR(raw[m].item<double>(), after[static_cast<std::size_t>(m)], 1e-9);
  }
  const torch::NoGradGuard no_grad;
  raw.copy_(before);
}

}  // namespace
}  // namespace lacuna::methods::mckd

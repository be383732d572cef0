// MCKD against the published code: outputs, losses, gradient norms and the meta step for weights
// and inputs that a formula makes (tests/parity/README.md).
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/json.h"
#include "base/tensor_file.h"
#include "methods/comparison.h"
#include "methods/fill.h"
#include "methods/mckd.h"
#include "methods/tensor_exchange.h"

namespace lacuna::methods {
namespace {

const data::ModalitySet& modalities() {
  static const data::ModalitySet set({"FLAIR", "T1", "T1c", "T2"});
  return set;
}

class Vectors {
 public:
  static const Vectors& get() {
    static const Vectors vectors;
    return vectors;
  }
  const Json& named(const std::string& name) const {
    for (const Json& each : json_["cases"]) {
      if (each["name"] == name) return each;
    }
    throw std::runtime_error("no case " + name);
  }
  const Json& json() const { return json_; }
  at::Tensor tensor(const std::string& name) const { return read_tensor(file_, path_, name); }

 private:
  Vectors()
      : path_(std::filesystem::path(std::getenv("LACUNA_SOURCE")) /
              "tests/parity/mckd.safetensors"),
        json_(read_json(path_.parent_path() / "mckd.json")),
        file_(path_) {}
  Path path_;
  Json json_;
  TensorFile file_;
};

// One network per type for all tests: filling 44 million weights takes a second.
MckdMethod& method(at::ScalarType type) {
  static std::map<at::ScalarType, std::unique_ptr<MckdMethod>> made;
  auto& slot = made[type];
  if (!slot) {
    MethodSettings settings;
    settings.options = Schema(mckd_options()).resolve({{"official", true}}, "test");
    slot = std::make_unique<MckdMethod>(settings);
    fill_weights(*slot, 1);
    slot->module().to(type);
  }
  return *slot;
}

SubsetMask subset_of(const Json& example) {
  SubsetMask subset = 0;
  for (const Json& name : example["available"]) {
    subset |= SubsetMask{1} << modalities().index(name.get<std::string>());
  }
  return subset;
}

at::Tensor input(const Json& example, at::ScalarType type) {
  const auto shape = example.contains("input_shape") ? example["input_shape"]
                                                     : Vectors::get().json()["input_shape"];
  return fill("input", shape.get<std::vector<std::int64_t>>(), 1).to(type);
}

Batch batch(const Json& example, at::ScalarType type) {
  Batch made;
  made.image = input(example, type);
  const auto& s = made.image.sizes();
  made.label = fill_label({s[0], s[2], s[3], s[4]}, 1);
  made.subsets = {std::vector<SubsetMask>(static_cast<std::size_t>(s[0]), subset_of(example))};
  return made;
}

// Largest difference to the stored samples, as a part of the output's standard deviation.
double sample_error(const at::Tensor& output, const Json& about) {
  const auto s = about["stride"].get<std::int64_t>();
  using torch::indexing::Slice;
  const at::Tensor sampled =
      output.index({"...", Slice(0, torch::indexing::None, s), Slice(0, torch::indexing::None, s),
                    Slice(0, torch::indexing::None, s)});
  const at::Tensor expected = Vectors::get().tensor(about["tensor"]).to(sampled.scalar_type());
  return (sampled - expected).abs().max().item<double>() / about["std"].get<double>();
}

void expect_moments(const at::Tensor& output, const Json& about, double relative) {
  const at::Tensor wide = output.to(at::kDouble);
  const double mean = about["mean"], std = about["std"];
  EXPECT_NEAR(wide.mean().item<double>(), mean, relative * std::max(std::abs(mean), std));
  EXPECT_NEAR(wide.std(/*unbiased=*/false).item<double>(), std, relative * std);
}

// In float32 instance norm amplifies the rounding of constant features: the README's tolerance.
double float_tolerance(const Json& example) {
  double published = 0;
  if (example.contains("float32_error_over_std")) {
    published = example["float32_error_over_std"]["max"];
  }
  return std::max(2e-4, 5 * published);
}

void expect_losses(const Comparison& result, const Json& example, double relative) {
  std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
  for (const auto& [name, value] : example["losses"].items()) {
    ASSERT_TRUE(losses.contains(name)) << name;
    EXPECT_NEAR(losses[name], value.get<double>(), relative * std::abs(value.get<double>()))
        << name;
  }
}

void expect_gradients(const Comparison& result, const Json& example, double relative,
                      double floor) {
  const Json& expected = example["gradients"];
  int compared = 0;
  for (const auto& [name, norm] : result.gradients) {
    ASSERT_TRUE(expected.contains(name)) << name;
    const Json& value = expected[name];
    const double wanted = value.is_null() ? 0 : value.get<double>();
    EXPECT_NEAR(norm.value_or(0), wanted, std::max(relative * wanted, floor)) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 222);  // 226 tensors without the attention that is never used
}

TEST(MckdParity, WeightsAreThoseOfTheFillFormula) {
  const auto named = method(at::kDouble).module().named_parameters();
  for (const Json& about : Vectors::get().json()["parameters"]) {
    const auto name = about["name"].get<std::string>();
    if (name.starts_with("multihead_attn.")) continue;
    const at::Tensor* weight = named.find(name);
    ASSERT_NE(weight, nullptr) << name;
    EXPECT_EQ(weight->sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = about["abs_sum"];
    EXPECT_NEAR(weight->sum().item<double>(), about["sum"], 1e-9 * scale) << name;
    EXPECT_NEAR(weight->abs().sum().item<double>(), scale, 1e-9 * scale) << name;
  }
}

class MckdParityEval : public ::testing::TestWithParam<const char*> {};

TEST_P(MckdParityEval, OutputsAgreeInDoubleAndFloat) {
  const Json& example = Vectors::get().named(GetParam());
  const Json& about = example["outputs"][0];
  const torch::NoGradGuard no_grad;
  const at::Tensor wide =
      method(at::kDouble).forward(input(example, at::kDouble), subset_of(example));
  expect_moments(wide, about, 1e-9);
  EXPECT_LT(sample_error(wide, about), 1e-6);
  const at::Tensor narrow =
      method(at::kFloat).forward(input(example, at::kFloat), subset_of(example));
  EXPECT_LT(sample_error(narrow, about), float_tolerance(example));
}

INSTANTIATE_TEST_SUITE_P(Subsets, MckdParityEval,
                         ::testing::Values("all", "FLAIR", "T1c+T2", "T1"));

TEST(MckdParity, EveryLevelOfEncoderAndDecoderAgrees) {
  const Json& example = Vectors::get().named("all");
  const torch::NoGradGuard no_grad;
  MckdNetwork& network = method(at::kDouble).network();
  const at::Tensor image = input(example, at::kDouble);
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
    EXPECT_LT(sample_error(found[what], about), 1e-6);
  }
}

class MckdParityTrain : public ::testing::TestWithParam<const char*> {};

TEST_P(MckdParityTrain, LossesAndGradientsAgreeInDouble) {
  const Json& example = Vectors::get().named(GetParam());
  const std::string phase = example.value("phase", std::string("train"));
  const Comparison result =
      compare_phase(method(at::kDouble), phase, batch(example, at::kDouble), {});
  expect_moments(result.output, example["outputs"][0], 1e-9);
  if (example["outputs"][0].contains("tensor")) {
    EXPECT_LT(sample_error(result.output, example["outputs"][0]), 1e-6);
  }
  expect_losses(result, example, 1e-9);
  if (example.contains("gradients") && !example["gradients"].empty()) {
    expect_gradients(result, example, 1e-9, 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, MckdParityTrain,
                         ::testing::Values("train/T1c+T2", "train/all", "train_batch2/T1c+T2",
                                           "meta/all", "meta/T1c+T2"));

TEST(MckdParity, LossesAgreeInFloat) {
  for (const char* name :
       {"train/T1c+T2", "train/all", "train_batch2/T1c+T2", "meta/all", "meta/T1c+T2"}) {
    const Json& example = Vectors::get().named(name);
    const std::string phase = example.value("phase", std::string("train"));
    const Comparison result =
        compare_phase(method(at::kFloat), phase, batch(example, at::kFloat), {});
    expect_losses(result, example, 1e-3);
    if (!example.contains("gradients")) continue;
    // Instance norm amplifies the rounding of constant feature maps about 300 times (README), so
    // the small norms of the first layers are compared on the scale of the largest one.
    double largest = 0;
    for (const auto& [parameter, norm] : result.gradients)
      largest = std::max(largest, norm.value_or(0));
    expect_gradients(result, example, 2e-2, 2e-3 * largest);
  }
}

TEST(MckdParity, MetaStepMovesTheImportanceWeightsAsPublished) {
  const Json& example = Vectors::get().named("meta/all");
  MckdMethod& mckd = method(at::kDouble);
  at::Tensor raw = mckd.network().raw_importance;
  compare_phase(mckd, "meta", batch(example, at::kDouble), {});
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
}  // namespace lacuna::methods

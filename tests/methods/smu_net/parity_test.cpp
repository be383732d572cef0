// SMU-Net against the published code: outputs, losses and gradient norms for weights and inputs
// that a formula makes (tests/parity/README.md).
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "losses/adversarial.h"
#include "methods/smu_net/method.h"

namespace lacuna::methods::smu_net {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("smu-net");
  return read;
}

// The discriminator's last kernel follows the patch, so the vectors judge it apart (below).
std::unique_ptr<Method> make(Json options, at::ScalarType type) {
  MethodSettings settings;
  settings.patch = data::Extent{32, 48, 40};
  options.update({{"official", true},
                  {"dropout", false},
                  {"evaluation_dropout", false},
                  {"adversarial_weight", 0}});
  settings.options = Schema(binding().declared()).resolve(options, "test");
  auto method = std::make_unique<Method>(settings);
  fill_weights(*method, 1);
  method->module().to(type);
  return method;
}

const Json& about(const Json& example, const std::string& what) {
  for (const char* list : {"outputs", "intermediates"}) {
    for (const Json& each : example[list]) {
      if (each["what"] == what) return each;
    }
  }
  throw std::runtime_error("no " + what);
}

void expect_equal(const at::Tensor& tensor, const Json& stated, double moments, double samples) {
  SCOPED_TRACE(stated["what"].get<std::string>());
  ASSERT_EQ(tensor.sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>());
  expect_moments(tensor, stated, moments);
  if (stated.contains("tensor")) {
    EXPECT_LT(vectors().sample_error(tensor, stated), samples);
  }
}

TEST(SmuNetParity, WeightsAreThoseOfTheFillFormula) {
  std::size_t compared = 0;
  for (const Json& options : {Json{{"subset", "FLAIR"}}, Json::object()}) {
    const auto method = make(options, at::kFloat);
    const auto parameters = method->module().named_parameters();
    for (const Json& stated : vectors().json()["parameters"]) {
      const auto name = stated["name"].get<std::string>();
      const at::Tensor* weight = parameters.find(name);
      if (weight == nullptr || name.starts_with("d_style.6.weight")) continue;
      EXPECT_EQ(weight->sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>()) << name;
      const double scale = stated["abs_sum"];
      EXPECT_NEAR(weight->sum(at::kDouble).item<double>(), stated["sum"], 1e-9 * scale) << name;
      ++compared;
    }
    EXPECT_EQ(parameters.size(), 116u * 2 + 8);
  }
  EXPECT_EQ(compared, 2 * (116u * 2 + 7));
}

TEST(SmuNetParity, OutputsOfEverySubsetAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const double moments = type == at::kDouble ? 1e-9 : 2e-4;
    const double samples = type == at::kDouble ? 1e-6 : 2e-4;
    const auto zero_filled = make({}, type);
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const at::Tensor image = vectors().input(example, type);
      const SubsetMask subset = subset_of(example);
      expect_equal(zero_filled->forward(image, subset), about(example, "model_missing4 logit"),
                   moments, samples);
      if (data::count(subset) == 1) {
        const auto dedicated = make({{"subset", example["available"][0]}}, type);
        expect_equal(dedicated->forward(image, subset), about(example, "model_missing logit"),
                     moments, samples);
      }
    }
    const Json& example = vectors().named("eval_FLAIR+T1+T1c+T2");
    const auto out = zero_filled->full().forward(vectors().input(example, type), {});
    expect_equal(out.logit, about(example, "model_full logit"), moments, samples);
    expect_equal(out.style, about(example, "model_full style"), moments, samples);
    expect_equal(out.content, about(example, "model_full content"), moments, samples);
  }
}

TEST(SmuNetParity, JointLossAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const Json& stated = example["phases"][0];
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method = make({{"subset", "FLAIR"}}, type);
    Progress progress;
    progress.stage_step = stated["epoch"];
    const Comparison result =
        compare_phase(*method, "joint", parity_batch(vectors(), example, type), progress);
    const std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
    const Json& wanted = stated["losses"];
    const auto expect = [&](const char* ours, const char* theirs, double tolerance) {
      const double value = wanted[theirs];
      EXPECT_NEAR(losses.at(ours), value, tolerance * std::abs(value)) << ours;
    };
    const double tolerance = wide ? 1e-9 : 1e-4;
    expect("dice_full", "loss_dc", tolerance);
    expect("dice_missing", "loss_miss_dc", tolerance);
    expect("consistency", "consistency_loss", tolerance);
    expect("content", "content_loss", tolerance);
    expect("gram", "style_loss (inside loss_Co)", wide ? 1e-9 : 1e-2);
    expect("total", "loss_Co", tolerance);
    const double largest = largest_gradient(result);
    std::size_t compared = 0;
    for (const auto& [name, norm] : result.gradients) {
      if (name.starts_with("d_style.")) {
        EXPECT_FALSE(norm.has_value()) << name;
        continue;
      }
      const double published = stated["gradients"].at(name);
      EXPECT_NEAR(norm.value_or(0), published,
                  wide ? std::max(1e-8 * published, 1e-9)  // printed to ten digits
                       : std::max(1e-3 * published, 1e-5 * largest))
          << name;
      ++compared;
    }
    EXPECT_EQ(compared, 232u);
  }
}

// The published discriminator wants a style of exactly 20x24x16 voxels; the vectors fill two.
TEST(SmuNetParity, TheDiscriminatorAgrees) {
  const Json& phases = vectors().named("train")["phases"];
  models::StyleDiscriminator judge(128, {20, 24, 16}, 1);
  judge.to(at::kDouble);
  for (auto& item : judge.named_parameters()) {
    const torch::NoGradGuard no_grad;
    item.value().copy_(fill("d_style." + item.key(), item.value().sizes(), 1));
  }
  const auto style = [](const char* name) {
    return fill_input(name, {1, 128, 20, 24, 16}, 1).to(at::kDouble).requires_grad_();
  };
  const auto expect_gradients_of = [&](const Json& stated) {
    for (auto& item : judge.named_parameters()) {
      const double wanted = stated["gradients"].at("d_style." + item.key());
      EXPECT_NEAR(item.value().grad().norm().item<double>(), wanted, 1e-8 * wanted) << item.key();
      item.value().mutable_grad() = at::Tensor();
    }
  };
  const auto near = [](const at::Tensor& value, double wanted) {
    EXPECT_NEAR(value.item<double>(), wanted, 1e-9 * std::abs(wanted));
  };
  {  // the adversarial loss and what it asks of the student's style
    const at::Tensor missing = style("style_missing");
    const at::Tensor fooled = 2e-4 * losses::cross_entropy_to(judge.forward(missing), 0);
    near(fooled, phases[1]["losses"].begin().value());
    fooled.backward();
    const Json& stated = phases[1]["gradient_wrt_style_missing"];
    EXPECT_NEAR(missing.grad().norm().item<double>(), stated["l2"].get<double>(), 1e-12);
    EXPECT_LT(vectors().sample_error(missing.grad(), stated), 1e-6);
    judge.zero_grad();
    for (auto& parameter : judge.parameters()) parameter.mutable_grad() = at::Tensor();
  }
  const at::Tensor full = losses::cross_entropy_to(judge.forward(style("style_full")), 0);
  near(full, phases[2]["losses"].begin().value());
  full.backward();
  expect_gradients_of(phases[2]);
  const at::Tensor missing = losses::cross_entropy_to(judge.forward(style("style_missing")), 1);
  near(missing, phases[3]["losses"].begin().value());
  missing.backward();
  expect_gradients_of(phases[3]);
}

}  // namespace
}  // namespace lacuna::methods::smu_net

// Robust-MSeg against a PyTorch port that was patched to the published network: outputs, styles,
// rebuilt images, losses and gradient norms for weights and inputs that a formula makes
// (tests/parity/README.md). The vectors' decay is that of Adam here.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/robust_mseg/method.h"

namespace lacuna::methods::robust_mseg {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("robust-mseg");
  return read;
}

// One network for all tests, whose values are float: the type changes back and forth.
Method& method(at::ScalarType type) {
  static const std::unique_ptr<Method> made = [] {
    MethodSettings settings;
    settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
    auto method = std::make_unique<Method>(settings);
    fill_weights(*method, 1);
    return method;
  }();
  for (auto& parameter : made->module().parameters()) parameter.mutable_grad() = at::Tensor();
  made->module().to(type);
  return *made;
}

void expect_equal(const at::Tensor& tensor, const Json& about, at::ScalarType type,
                  double float_samples) {
  SCOPED_TRACE(about["what"].get<std::string>());
  const bool wide = type == at::kDouble;
  ASSERT_EQ(tensor.numel(), [&] {
    std::int64_t count = 1;
    for (const auto& size : about["shape"]) count *= size.get<std::int64_t>();
    return count;
  }());
  if (wide) expect_moments(tensor, about, 1e-9);
  EXPECT_LT(
      vectors().sample_error(tensor.view(about["shape"].get<std::vector<std::int64_t>>()), about),
      wide ? 1e-6 : float_samples);
}

TEST(RobustMsegParity, WeightsAreThoseOfTheFillFormula) {
  const auto parameters = method(at::kFloat).module().named_parameters();
  for (const Json& stated : vectors().json()["parameters"]) {
    const auto name = stated["name"].get<std::string>();
    const at::Tensor* weight = parameters.find(name);
    ASSERT_NE(weight, nullptr) << name;
    EXPECT_EQ(weight->sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = stated["abs_sum"];
    EXPECT_NEAR(weight->sum(at::kDouble).item<double>(), stated["sum"], 1e-9 * scale) << name;
    EXPECT_NEAR(weight->abs().sum(at::kDouble).item<double>(), scale, 1e-9 * scale) << name;
  }
  EXPECT_EQ(parameters.size(), vectors().json()["parameters"].size());
}

TEST(RobustMsegParity, OutputsOfSubsetsAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      Method& robust = method(type);
      const at::Tensor image = from_published_channels(robust, vectors().input(example, type));
      const SubsetMask subset = subset_of(example);
      expect_equal(robust.forward(image, subset), example["outputs"][0], type,
                   float_tolerance(example));
    }
  }
}

TEST(RobustMsegParity, WhatIsFusedAgreesInDouble) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("eval_FLAIR+T1+T1c+T2");
  Method& robust = method(at::kDouble);
  const at::Tensor image = vectors().input(example, at::kDouble);  // the network's own order
  std::vector<models::GatedShares> shares;
  for (std::size_t m = 0; m < 4; ++m) {
    shares.push_back(robust.network().shares(image.narrow(1, static_cast<std::int64_t>(m), 1), m));
  }
  const auto fused = robust.network().fuse(shares, {});
  std::map<std::string, at::Tensor> found = {
      {"output of mask_de.d1_out", robust.network().decode(fused).features}};
  for (std::size_t level = 0; level < 4; ++level) {
    found["output of fusion_c" + std::to_string(level + 1)] = fused[level];
  }
  int compared = 0;
  for (const Json& about : example["intermediates"]) {
    const auto what = about["what"].get<std::string>();
    if (!found.contains(what)) continue;
    expect_equal(found[what], about, at::kDouble, 0);
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

// A dropped modality is rebuilt from the others and its own style, which sees its image. In float,
// which takes a tenth of the time; the loss below has the images' errors in double.
TEST(RobustMsegParity, StylesAndRebuiltImagesAgree) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("train");
  const at::ScalarType type = at::kFloat;
  Method& robust = method(type);
  const at::Tensor image = vectors().input(example, type);
  std::vector<models::GatedShares> shares;
  for (std::size_t m = 0; m < 3; ++m) {
    shares.push_back(robust.network().shares(image.narrow(1, static_cast<std::int64_t>(m), 1), m));
  }
  shares.emplace_back();  // T2
  const auto fused = robust.network().fuse(shares, {});
  std::map<std::string, at::Tensor> found = {{"logits", robust.network().decode(fused).logits}};
  const char* names[] = {"flair", "t1c", "t1", "t2"};
  for (std::size_t m = 0; m < 4; ++m) {
    const auto rebuilt =
        robust.network().rebuild(fused.back(), image.narrow(1, static_cast<std::int64_t>(m), 1), m);
    const std::string name = names[m];
    found["style code " + name] = rebuilt.code;
    found["mu " + name + " (AdaIN scale)"] = rebuilt.style.scale;
    found["reconstruction " + name] = rebuilt.image;
  }
  for (const Json& about : example["outputs"]) {
    const auto what = about["what"].get<std::string>();
    ASSERT_TRUE(found.contains(what)) << what;
    expect_equal(found[what], about, type, 1e-3);
  }
}

TEST(RobustMsegParity, LossesAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const Json& phase = example["phases"][0];
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    Method& robust = method(type);
    const Comparison result =
        compare_phase(robust, "train", parity_batch(vectors(), example, robust, type), {});
    expect_losses(result, phase, wide ? 1e-9 : 1e-4);
    expect_equal(result.output, example["outputs"][0], type, float_tolerance(example));
    for (const auto& [name, norm] : result.gradients) {
      EXPECT_EQ(norm.has_value(), !phase["gradients"].at(name).is_null()) << name;
    }
    if (wide) {
      expect_gradients(result, phase, 1e-8, 1e-9);  // printed to ten digits
    } else {
      expect_gradients(result, phase, 3e-3, 1e-5 * largest_gradient(result));
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::robust_mseg

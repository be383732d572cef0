// U-HeMIS against a PyTorch port that was patched to the paper's network: outputs, losses and
// gradient norms for weights and inputs that a formula makes (tests/parity/README.md). The vectors
// state channels as T1, T1c, T2, FLAIR.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/u_hemis/method.h"

namespace lacuna::methods::u_hemis {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("u-hemis");
  return read;
}

std::unique_ptr<Method> make(at::ScalarType type) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  auto method = std::make_unique<Method>(settings);
  fill_weights(*method, 1);
  method->module().to(type);
  return method;
}

// From the vectors' order to FLAIR, T1, T1c, T2.
at::Tensor input(const Json& example, at::ScalarType type) {
  const at::Tensor stated = vectors().input(example, type);
  return at::cat({stated.narrow(1, 3, 1), stated.narrow(1, 0, 3)}, 1);
}

TEST(UHemisParity, WeightsAreThoseOfTheFillFormula) {
  const auto method = make(at::kFloat);
  const auto parameters = method->module().named_parameters();
  for (const Json& stated : vectors().json()["parameters"]) {
    const auto name = stated["name"].get<std::string>();
    const at::Tensor* weight = parameters.find(name);
    ASSERT_NE(weight, nullptr) << name;
    EXPECT_EQ(weight->sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>()) << name;
    EXPECT_NEAR(weight->sum(at::kDouble).item<double>(), stated["sum"],
                1e-9 * stated["abs_sum"].get<double>())
        << name;
  }
  EXPECT_EQ(parameters.size(), vectors().json()["parameters"].size());
}

TEST(UHemisParity, OutputsAndFusedFeaturesAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto method = make(type);
    for (const char* name :
         {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1", "odd"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const double moments = type == at::kDouble ? 1e-9 : 2e-4;
      const double samples = type == at::kDouble ? 1e-6 : float_tolerance(example);
      const SubsetMask subset = subset_of(example);
      const at::Tensor image = input(example, type);
      const auto check = [&](const at::Tensor& tensor, const Json& stated) {
        SCOPED_TRACE(stated["what"].get<std::string>());
        ASSERT_EQ(tensor.sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>());
        expect_moments(tensor, stated, moments);
        if (stated.contains("tensor")) {
          EXPECT_LT(vectors().sample_error(tensor, stated), samples);
        }
      };
      check(method->forward(image, subset), example["outputs"][0]);
      const Features features = method->encode(image);
      for (const Json& stated : example["intermediates"]) {
        const auto what = stated["what"].get<std::string>();
        if (!what.starts_with("fused level ")) continue;
        const auto level = static_cast<std::size_t>(what.back() - '1');
        std::vector<at::Tensor> by_modality;
        for (std::size_t m = 0; m < 4; ++m) by_modality.push_back(features[4 * m + level]);
        check(fuse_moments(by_modality, {subset}), stated);
      }
    }
  }
}

Batch batch_of(const Json& example, at::ScalarType type) {
  Batch batch;
  batch.image = input(example, type);
  const auto& s = batch.image.sizes();
  batch.label = fill_label({s[0], s[2], s[3], s[4]}, 1);
  batch.subsets.emplace_back();
  for (const Json& names : example["available_per_sample"]) {
    batch.subsets[0].push_back(subset_of({{"available", names}}));
  }
  return batch;
}

TEST(UHemisParity, LossesAndEveryGradientAgree) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method = make(type);
    for (const char* name : {"train", "train_batch2"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const Comparison result = compare_phase(*method, "train", batch_of(example, type), {});
      std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
      losses["ce"] = losses["cross_entropy"];
      for (const char* part : {"ce", "dice", "decay", "total"}) {
        const double wanted = example["losses"][part];
        EXPECT_NEAR(losses[part], wanted, (wide ? 1e-9 : 1e-4) * wanted) << part;
      }
      if (!example.contains("gradients")) continue;
      const double largest = largest_gradient(result);
      for (const auto& [parameter, norm] : result.gradients) {
        const Json& published = example["gradients"].at(parameter);
        ASSERT_EQ(norm.has_value(), !published.is_null()) << parameter;
        if (!norm) continue;
        const double wanted = published;
        EXPECT_NEAR(*norm, wanted,
                    wide ? std::max(1e-8 * wanted, 1e-9)  // printed to ten digits
                         : std::max(1e-3 * wanted, 1e-5 * largest))
            << parameter;
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::u_hemis

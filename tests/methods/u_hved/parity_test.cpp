// U-HVED against a PyTorch port that was patched to the paper's network: outputs, completed images,
// losses and gradient norms for weights and inputs that a formula makes (tests/parity/README.md).
// The vectors state channels as T1, T1c, T2, FLAIR, and have no weight decay.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/u_hved/method.h"

namespace lacuna::methods::u_hved {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("u-hved");
  return read;
}

std::unique_ptr<Method> make(at::ScalarType type) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve({{"decay", 0}}, "test");
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

TEST(UHvedParity, WeightsAreThoseOfTheFillFormula) {
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

TEST(UHvedParity, OutputsAndCompletedImagesAgree) {
  const torch::NoGradGuard no_grad;
  const std::map<std::string, int> channel = {{"Flair", 0}, {"T1", 1}, {"T1c", 2}, {"T2", 3}};
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto method = make(type);
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const at::Tensor image = input(example, type);
      const SubsetMask subset = subset_of(example);
      const at::Tensor logits = method->forward(image, subset);
      const at::Tensor images = method->complete(image, subset);
      for (const Json& stated : example["outputs"]) {
        const auto what = stated["what"].get<std::string>();
        at::Tensor tensor = logits;
        if (what.starts_with("completed image ")) {
          const auto modality = what.substr(16, what.find(' ', 16) - 16);
          tensor = images.narrow(1, channel.at(modality), 1);
        } else {
          ASSERT_EQ(what, "seg logits");
        }
        SCOPED_TRACE(what);
        expect_moments(tensor, stated, type == at::kDouble ? 1e-9 : 2e-4);
        EXPECT_LT(vectors().sample_error(tensor, stated),
                  type == at::kDouble ? 1e-6 : std::max(5e-4, float_tolerance(example)));
      }
    }
  }
}

TEST(UHvedParity, LossesAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const Json& stated = example["phases"][0];
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method = make(type);
    Batch batch = parity_batch(vectors(), example, type);
    batch.image = input(example, type);
    const Comparison result = compare_phase(*method, "train", batch, {});
    const std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
    for (const auto& [ours, theirs] :
         std::map<std::string, std::string>{{"cross_entropy", "ce"},
                                            {"dice", "dice"},
                                            {"images", "rec"},
                                            {"kl_subsets", "kld_subsets"},
                                            {"kl_prior", "kld_prior"},
                                            {"total", "total"}}) {
      const double wanted = stated["losses"][theirs];
      EXPECT_NEAR(losses.at(ours), wanted, (wide ? 1e-9 : 1e-4) * wanted) << ours;
    }
    const double largest = largest_gradient(result);
    for (const auto& [parameter, norm] : result.gradients) {
      const Json& published = stated["gradients"].at(parameter);
      ASSERT_EQ(norm.has_value(), !published.is_null()) << parameter;
      if (!norm) continue;
      const double wanted = published;
      EXPECT_NEAR(*norm, wanted,
                  wide ? std::max(1e-8 * wanted, 1e-9)  // printed to ten digits
                       : std::max(3e-3 * wanted, 1e-4 * largest))
          << parameter;
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::u_hved

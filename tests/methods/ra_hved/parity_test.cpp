// RA-HVED against its published code: outputs, rebuilt images, losses and gradient norms for
// weights and inputs that a formula makes (tests/parity/README.md).
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/ra_hved/method.h"

namespace lacuna::methods::ra_hved {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("ra-hved");
  return read;
}

// One network for all tests, whose values are float: the type changes back and forth.
Method& filled(at::ScalarType type) {
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

double tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-9 : 2e-4; }

TEST(RaHvedParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(filled(at::kFloat), vectors());
}

TEST(RaHvedParity, OutputsAndRebuiltImagesAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    Method& method = filled(type);
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const at::Tensor image = from_published_channels(method, vectors().input(example, type));
      const SubsetMask subset = subset_of(example);
      for (const Json& stated : example["outputs"]) {
        const auto what = stated["what"].get<std::string>();
        at::Tensor tensor = method.forward(image, subset);
        if (what.starts_with("prob")) tensor = tensor.sigmoid();
        if (what.starts_with("reconstruction")) {
          const at::Tensor images = method.complete(image, subset);  // FLAIR, T1, T1c, T2
          tensor = images.index_select(1, at::tensor({2, 1, 3, 0}, at::kLong));
        }
        SCOPED_TRACE(what);
        expect_moments(tensor, stated, tolerance(type));
        if (!stated.contains("tensor")) continue;
        EXPECT_LT(vectors().sample_error(tensor, stated),
                  type == at::kDouble ? 1e-6 : std::max(5e-4, float_tolerance(example)));
      }
    }
  }
}

TEST(RaHvedParity, LossesAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const std::map<std::string, std::map<std::string, std::string>> names = {
      {"generator",
       {{"dice_full", "dice"},
        {"dice_subset", "m_dice"},
        {"images", "recon"},
        {"divergence", "KLD"},
        {"adversarial", "g_gan"},
        {"total", "total"}}},
      {"discriminator", {{"fake", "loss_d_fake"}, {"real", "loss_d_real"}, {"total", "loss_d"}}}};
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    for (const Json& stated : example["phases"]) {
      const auto phase = stated["name"].get<std::string>();
      SCOPED_TRACE(phase);
      Method& method = filled(type);
      const Batch batch = parity_batch(vectors(), example, method, type);
      const Comparison result = compare_phase(method, phase, batch, {});
      const std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
      for (const auto& [ours, theirs] : names.at(phase)) {
        const double wanted = stated["losses"][theirs];
        // Float: norms of nearly constant maps enlarge rounding; measured 5.5e-4 (the adversary).
        EXPECT_NEAR(losses.at(ours), wanted, (wide ? 1e-9 : 2e-3) * wanted) << ours;
      }
      const double largest = largest_gradient(result);
      std::size_t compared = 0;
      for (const auto& [parameter, norm] : result.gradients) {
        if (!stated["gradients"].contains(parameter)) continue;  // of the other network
        ++compared;
        const double wanted = stated["gradients"][parameter];
        ASSERT_TRUE(norm.has_value()) << parameter;
        EXPECT_NEAR(*norm, wanted,
                    wide ? std::max(1e-8 * wanted, 1e-9)             // printed to ten digits
                         : std::max(1e-2 * wanted, 1e-3 * largest))  // 6.3e-3 of 1.8, 1e-3 of 0.04
            << parameter;
      }
      EXPECT_EQ(compared, stated["gradients"].size());
      if (phase == "generator") {
        for (const Json& about : example["outputs"]) {
          if (about["what"] != "prob of the sub-set pass") continue;
          EXPECT_LT(vectors().sample_error(result.output.sigmoid(), about), wide ? 1e-6 : 1e-3);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::ra_hved

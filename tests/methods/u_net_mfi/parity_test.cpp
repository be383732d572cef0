// U-Net-MFI against the published code: every output, the features after each interaction, losses
// and gradient norms for weights and inputs that a formula makes (tests/parity/README.md). Images
// come as FLAIR, T1c, T1, T2.
#include "tests/methods/parity.h"

#include <memory>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "methods/shared/zero_fill.h"
#include "methods/u_net_mfi/method.h"

namespace lacuna::methods::u_net_mfi {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("u-net-mfi");
  return read;
}

std::unique_ptr<Method> make(at::ScalarType type) {
  MethodSettings settings;
  settings.patch = data::Extent{24, 16, 32};
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  auto method = std::make_unique<Method>(settings);
  fill_weights(*method, 1);
  method->module().to(type);
  return method;
}

bool is_unused(const std::string& name) {
  for (const Json& prefix : vectors().json()["unused"]) {
    if (name.starts_with(prefix.get<std::string>())) return true;
  }
  return false;
}

TEST(UNetMfiParity, WeightsAreThoseOfTheFillFormula) {
  const auto method = make(at::kFloat);
  const auto named = method->module().named_parameters();
  std::size_t at = 0;
  for (const Json& about : vectors().json()["parameters"]) {
    const auto name = about["name"].get<std::string>();
    if (is_unused(name)) continue;
    ASSERT_LT(at, named.size());
    EXPECT_EQ(named[at].key(), name);
    const at::Tensor& weight = named[at++].value();
    EXPECT_EQ(weight.sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    EXPECT_NEAR(weight.sum(at::kDouble).item<double>(), about["sum"],
                1e-9 * about["abs_sum"].get<double>())
        << name;
  }
  EXPECT_EQ(at, named.size());
}

// By the vectors' "what": "logits stage1_2", "prediction_mean", "diff3: features of T1 after ...".
std::map<std::string, at::Tensor> everything(const Outputs& out,
                                             const std::vector<std::vector<at::Tensor>>& features) {
  std::map<std::string, at::Tensor> all;
  for (std::size_t m = 0; m < 4; ++m) {
    const std::string number = std::to_string(m + 1);
    all["logits stage1_" + number] = out.quarter[m];
    all["logits stage2_" + number] = out.half[m];
    all["logits out" + number] = out.branches[m];
    for (std::size_t k = 0; k < features.size(); ++k) {
      all[fmt::format("diff{}: features of {} after the interaction", k + 1, rfnet_order()[m])] =
          features[k][m];
    }
  }
  all["logits cat_out"] = out.combined;
  all["prediction_mean"] = out.mean();
  return all;
}

TEST(UNetMfiParity, EveryOutputAndInteractionAgrees) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto method = make(type);
    for (const char* name :
         {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1", "code_only"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const at::Tensor image = from_published_channels(*method, vectors().input(example, type));
      const SubsetMask code =
          example.contains("code") ? subset_of_names(example["code"]) : subset_of(example);
      std::vector<std::vector<at::Tensor>> features;
      const Outputs out =
          method->run(method->order().image(zero_fill(image, {subset_of(example)})),
                      method->order().mask({code}, image), /*deep=*/true, &features);
      ASSERT_EQ(features.size(), 5u);
      const auto all = everything(out, features);
      std::size_t compared = 0;
      for (const char* list : {"outputs", "intermediates"}) {
        if (!example.contains(list)) continue;
        for (const Json& stated : example[list]) {
          const auto what = stated["what"].get<std::string>();
          const auto found = all.find(what);
          if (found == all.end()) continue;  // single units of the published code
          SCOPED_TRACE(what);
          ++compared;
          ASSERT_EQ(found->second.sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>());
          expect_moments(found->second, stated, type == at::kDouble ? 1e-9 : 2e-4);
          if (!stated.contains("tensor") || stated["tensor"].is_null()) continue;
          EXPECT_LT(vectors().sample_error(found->second, stated),
                    type == at::kDouble ? 1e-6 : float_tolerance(example));
        }
      }
      EXPECT_EQ(compared, example.contains("code") ? 1u : 34u);
      if (example.contains("code")) continue;
      EXPECT_TRUE(at::equal(method->forward(image, code), out.mean()));
    }
  }
}

TEST(UNetMfiParity, LossesAndEveryGradientAgree) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method = make(type);
    for (const char* name : {"train", "train_batch2"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const Batch batch = parity_batch(vectors(), example, *method, type);
      if (!example.contains("gradients")) {
        expect_losses(losses_of(*method, "train", batch), example, wide ? 1e-9 : 1e-4);
        continue;
      }
      const Comparison result = compare_phase(*method, "train", batch, {});
      expect_losses(result, example, wide ? 1e-9 : 1e-4);
      // The last bias of an interaction: the softmax does not see it, so its gradient is rounding.
      const double largest = largest_gradient(result);
      expect_gradients(result, example, wide ? 1e-8 : 2e-3, wide ? 1e-9 : 1e-5 * largest);
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::u_net_mfi

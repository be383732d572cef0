// ACN against the published code: outputs, losses and gradient norms for weights and inputs that a
// formula makes (tests/parity/README.md). The vectors state channels as T1, T2, FLAIR, T1c.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "losses/adversarial.h"
#include "methods/acn/method.h"

namespace lacuna::methods::acn {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("acn");
  return read;
}

std::unique_ptr<Method> make(Json options, at::ScalarType type) {
  MethodSettings settings;
  settings.patch = data::Extent{32, 48, 64};
  options.update({{"official", true}, {"dropout", false}, {"evaluation_dropout", false}});
  settings.options = Schema(binding().declared()).resolve(options, "test");
  auto method = std::make_unique<Method>(settings);
  fill_weights(*method, 1);
  method->module().to(type);
  return method;
}

// From the vectors' order to FLAIR, T1, T1c, T2.
at::Tensor input(const Json& example, at::ScalarType type) {
  const at::Tensor stated = vectors().input(example, type);
  std::vector<at::Tensor> channels;
  for (const int from : {2, 0, 3, 1}) channels.push_back(stated.narrow(1, from, 1));
  return at::cat(channels, 1);
}

const Json& about(const Json& example, const std::string& what) {
  for (const char* list : {"outputs", "intermediates"}) {
    if (!example.contains(list)) continue;
    for (const Json& each : example[list]) {
      if (each["what"] == what) return each;
    }
  }
  throw std::runtime_error("no " + what);
}

void expect_equal(const at::Tensor& tensor, const Json& stated, at::ScalarType type) {
  SCOPED_TRACE(stated["what"].get<std::string>());
  ASSERT_EQ(tensor.sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>());
  const bool wide = type == at::kDouble;
  expect_moments(tensor, stated, wide ? 1e-9 : 2e-4);
  if (stated.contains("tensor")) {
    EXPECT_LT(vectors().sample_error(tensor, stated), wide ? 1e-6 : 2e-4);
  }
}

void near(double value, const Json& wanted, double relative = 1e-9) {
  EXPECT_NEAR(value, wanted.get<double>(), relative * std::abs(wanted.get<double>()));
}

TEST(AcnParity, WeightsAreThoseOfTheFillFormula) {
  const auto method = make({{"subset", "T1c"}}, at::kFloat);
  expect_filled_weights(*method, vectors());
}

TEST(AcnParity, OutputsAndIntermediatesAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const char* name : {"T1c", "FLAIR", "T1"}) {
      SCOPED_TRACE(name);
      const auto method = make({{"subset", name}}, type);
      const Json& example = vectors().named(std::string("eval_mono_") + name);
      const at::Tensor image = input(example, type);
      expect_equal(method->forward(image, subset_of(example)), about(example, "model_mono logit"),
                   type);
      const int m = data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}).index(name);
      const Output out = method->missing().forward(image.narrow(1, m, 1), {});
      expect_equal(out.features, about(example, "model_mono df"), type);
      expect_equal(method->missing().regressor().forward(out.features),
                   about(example, "model_mono VID_pred_mean"), type);
      const auto vae = method->missing().vae().forward(out.dropped, {});
      expect_equal(vae.image, about(example, "model_mono vout"), type);
      expect_equal(vae.mu, about(example, "model_mono mu"), type);
      expect_equal(vae.logvar, about(example, "model_mono logvar"), type);
    }
    const auto method = make({{"subset", "T1c"}}, type);
    const Json& example = vectors().named("eval_full");
    const Output out = method->full().forward(vectors().input(example, type), {});
    expect_equal(out.logit, about(example, "model logit"), type);
    expect_equal(out.features, about(example, "model df"), type);
    expect_equal(method->full().vae().forward(out.dropped, {}).image, about(example, "model vout"),
                 type);
  }
}

Batch batch_of(const Json& example, at::ScalarType type) {
  Batch batch = parity_batch(vectors(), example, type);
  batch.image = input(example, type);
  return batch;
}

Progress at_epoch(std::int64_t epoch) {
  Progress progress;
  progress.stage_step = epoch;
  return progress;
}

std::map<std::string, double> by_name(const Comparison& result) {
  return {result.losses.begin(), result.losses.end()};
}

TEST(AcnParity, JointLossAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const Json& stated = example["phases"][0];
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method =
        make({{"subset", "T1c"}, {"entropy_weight", 0}, {"feature_weight", 0}}, type);
    const Comparison result =
        compare_phase(*method, "joint", batch_of(example, type), at_epoch(stated["epoch"]));
    auto losses = by_name(result);
    const double tolerance = wide ? 1e-9 : 1e-4;
    near(losses["dice_full"], stated["losses"]["loss_dc"], tolerance);
    near(losses["dice_missing"], stated["losses"]["loss_mono_dc"], tolerance);
    near(losses["consistency"], stated["losses"]["consistency_loss"], tolerance);
    near(losses["information"], stated["losses"]["MILoss"], tolerance);
    near(losses["total"], stated["losses"]["total"], tolerance);
    const double largest = largest_gradient(result);
    std::size_t compared = 0;
    for (const auto& [name, norm] : result.gradients) {
      if (name.starts_with("d_")) continue;
      SCOPED_TRACE(name);
      const Json& published = stated["gradients"].at(name);
      ASSERT_EQ(norm.has_value(), !published.is_null());
      ++compared;
      if (!norm) continue;
      const double wanted = published;
      EXPECT_NEAR(*norm, wanted,
                  wide ? std::max(1e-8 * wanted, 1e-9)  // printed to ten digits
                       : std::max(1e-3 * wanted, 1e-5 * largest));
    }
    EXPECT_EQ(compared, 320u);
  }
}

TEST(AcnParity, ConsistencyByKl) {
  const Json& example = vectors().named("train");
  const auto method = make({{"subset", "T1c"},
                            {"consistency", "kl"},
                            {"information_weight", 0},
                            {"entropy_weight", 0},
                            {"feature_weight", 0}},
                           at::kDouble);
  auto losses =
      by_name(compare_phase(*method, "joint", batch_of(example, at::kDouble), at_epoch(20)));
  near(losses["consistency"], example["phases"][1]["losses"]["consistency_loss"]);
  near(losses["total"], example["phases"][1]["losses"]["loss_Co"]);
}

// What the two discriminators ask of the missing network, and what they learn.
TEST(AcnParity, AdversarialLossesAndGradientsAgree) {
  const Json& example = vectors().named("train");
  const Json& adversarial = example["phases"][2];
  const auto method = make({{"subset", "T1c"}}, at::kDouble);
  const Batch batch = batch_of(example, at::kDouble);
  for (auto& parameter : method->module().parameters()) parameter.set_requires_grad(true);
  const Loss loss = method->loss("joint", batch, at_epoch(20));
  const std::map<std::string, at::Tensor> parts(loss.parts.begin(), loss.parts.end());
  near(parts.at("entropy").item<double>(), adversarial["losses"]["bce_EnA"]);
  near(parts.at("feature").item<double>(), adversarial["losses"]["bce_KnA"]);
  (1e-3 * parts.at("entropy") + 2e-4 * parts.at("feature")).backward();
  for (const auto& item : method->module().named_parameters()) {
    if (item.key().starts_with("d_")) continue;
    const at::Tensor& grad = item.value().grad();
    const Json& published = adversarial["gradients"];
    ASSERT_EQ(grad.defined(), published.contains(item.key())) << item.key();
    if (!grad.defined()) continue;
    const double wanted = published[item.key()];
    EXPECT_NEAR(grad.norm().item<double>(), wanted, std::max(1e-8 * wanted, 1e-12)) << item.key();
  }
  method->end_step({});

  const Comparison learned = compare_phase(*method, "discriminator", batch, at_epoch(20));
  auto losses = by_name(learned);
  const Json &full = example["phases"][3]["losses"], &mono = example["phases"][4]["losses"];
  near(losses["entropy"],
       full["half_bce_d_main"].get<double>() + mono["half_bce_d_main"].get<double>());
  near(losses["feature"],
       full["half_bce_d_feature"].get<double>() + mono["half_bce_d_feature"].get<double>());
}

// The published norms are of the full and of the missing half by themselves.
TEST(AcnParity, EachHalfOfWhatTheDiscriminatorsLearnAgrees) {
  const Json& example = vectors().named("train");
  const auto method = make({{"subset", "T1c"}}, at::kDouble);
  at::Tensor entropy[2], features[2];
  {
    const torch::NoGradGuard no_grad;
    const at::Tensor image = input(example, at::kDouble);
    const Output full = method->full().forward(vectors().input(example, at::kDouble), {});
    const Output missing = method->missing().forward(image.narrow(1, 2, 1), {});
    const Output* outputs[2] = {&full, &missing};
    for (int i = 0; i < 2; ++i) {
      entropy[i] = losses::entropy_map(outputs[i]->logit, losses::EntropyOf::kSoftmaxOfSigmoid);
      features[i] = outputs[i]->features;
    }
    expect_equal(entropy[1], about(example["phases"][2], "entropy map of the mono net"),
                 at::kDouble);
  }
  for (int i = 0; i < 2; ++i) {
    method->module().zero_grad();
    const at::Tensor loss =
        (losses::cross_entropy_to(method->judge_of_entropy().forward(entropy[i]), i) +
         losses::cross_entropy_to(method->judge_of_features().forward(features[i]), i)) /
        2;
    loss.backward();
    const Json& stated = example["phases"][static_cast<std::size_t>(3 + i)]["gradients"];
    std::size_t compared = 0;
    for (const auto& item : method->module().named_parameters()) {
      if (!item.key().starts_with("d_")) continue;
      const double wanted = stated.at(item.key());
      EXPECT_NEAR(item.value().grad().norm().item<double>(), wanted, std::max(1e-8 * wanted, 1e-12))
          << item.key();
      ++compared;
    }
    EXPECT_EQ(compared, 16u);
  }
}

}  // namespace
}  // namespace lacuna::methods::acn

// M3AE against the published code: logits, losses and gradient norms of both stages for weights and
// inputs that a formula makes (tests/parity/README.md). Channels come as T1, T1c, T2, FLAIR.
#include "tests/methods/parity.h"

#include <memory>

#include <gtest/gtest.h>

#include "methods/m3ae/method.h"

namespace lacuna::methods::m3ae {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("m3ae");
  return read;
}

// One filled pair of networks for all tests: filling 80 million weights takes seconds.
std::shared_ptr<torch::nn::Module> filled_module() {
  static std::unique_ptr<Method> kept;
  if (!kept) {
    MethodSettings settings;
    settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
    kept = std::make_unique<Method>(settings);
    fill_weights(*kept, 1);
  }
  return {std::shared_ptr<void>(), &kept->module()};
}

std::unique_ptr<Method> make(at::ScalarType type, Json options = Json::object()) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve(options, "test");
  auto method = std::make_unique<Method>(settings);
  const auto filled = filled_module();
  const torch::NoGradGuard no_grad;
  auto to = method->module().named_parameters();
  for (const auto& item : filled->named_parameters()) to[item.key()].copy_(item.value());
  method->module().to(type);
  return method;
}

data::Extent corner() {
  data::Extent result{};
  for (std::size_t i = 0; i < 3; ++i) result[i] = vectors().json()["crop_location"][i][0];
  return result;
}

void expect_equal(const at::Tensor& tensor, const Json& stated, at::ScalarType type) {
  SCOPED_TRACE(stated["what"].get<std::string>());
  const bool wide = type == at::kDouble;
  expect_moments(tensor, stated, wide ? 1e-9 : 2e-4);
  if (stated.contains("tensor")) {
    EXPECT_LT(vectors().sample_error(tensor, stated), wide ? 1e-6 : 2e-4);
  }
}

Batch batch_of(const Json& example, const Method& method, at::ScalarType type) {
  Batch batch;
  batch.image = from_published_channels(method, vectors().input(example, type));
  batch.label = fill_label({1, 48, 48, 48}, 1);
  batch.origin = {corner()};
  return batch;
}

void expect_phase(const Comparison& result, const Json& stated,
                  const std::map<std::string, std::string>& names, at::ScalarType type,
                  const std::string& network) {
  const bool wide = type == at::kDouble;
  const std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
  for (const auto& [ours, theirs] : names) {
    const double wanted = stated["losses"].at(theirs);
    EXPECT_NEAR(losses.at(ours), wanted, (wide ? 1e-9 : 1e-4) * wanted) << ours;
  }
  const double largest = largest_gradient(result);
  std::size_t compared = 0;
  for (const auto& [name, norm] : result.gradients) {
    SCOPED_TRACE(name);
    if (!name.starts_with(network)) {
      EXPECT_FALSE(norm.has_value());
      continue;
    }
    if (!stated["gradients"].contains(name)) continue;  // the second kind states convolutions alone
    const Json& published = stated["gradients"].at(name);
    ASSERT_EQ(norm.has_value(), !published.is_null());
    if (!norm) continue;
    ++compared;
    const double wanted = published;
    EXPECT_NEAR(*norm, wanted,
                wide ? std::max(1e-8 * wanted, 1e-9)  // printed to ten digits
                     : std::max(3e-3 * wanted, 1e-5 * largest));
  }
  EXPECT_GE(compared, 90u);
}

TEST(M3aeParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(*make(at::kFloat), vectors());
}

TEST(M3aeParity, LogitsOfSubsetsAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto method = make(type);
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const at::Tensor image = from_published_channels(*method, vectors().input(example, type));
      const Features features = method->encode_at(image, {.corner = corner()});
      expect_equal(method->decode(features, {subset_of(example)})[0], example["outputs"][0], type);
    }
  }
}

TEST(M3aeParity, PretrainingAgrees) {
  const Json& example = vectors().named("pretrain");
  std::string tokens;
  for (const Json& token : example["kept_tokens"]) {
    tokens += (tokens.empty() ? "" : ",") + std::to_string(token.get<int>());
  }
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const auto method = make(type, {{"kept_tokens", tokens}});
    Batch batch = batch_of(example, *method, type);
    batch.subsets = {{subset_of(example)}};
    const Comparison result = compare_phase(*method, "pretrain", batch, {});
    expect_equal(result.output, example["outputs"][0], type);
    expect_phase(result, example["phases"][0],
                 {{"reconstruction", "reconstruction"},
                  {"substitute_norm", "limage_norm"},
                  {"total", "total"}},
                 type, "pre.");
  }
}

// In float64: probabilities that round to 1 count otherwise in float.
TEST(M3aeParity, SegmentationAgreesWithBothKindsOfConsistency) {
  const Json& example = vectors().named("train");
  for (const std::string kind : {"logits", "bottleneck"}) {
    SCOPED_TRACE(kind);
    const bool published = kind == "logits";
    const auto method = make(at::kDouble, {{"official", true}, {"consistency", kind}});
    Batch batch = batch_of(example, *method, at::kDouble);
    for (const Json& names : example["available"]) {
      batch.subsets.push_back({subset_of_names(names)});
    }
    const Comparison result = compare_phase(*method, "finetune", batch, {});
    std::map<std::string, std::string> names = {{"consistency", "consistency"}, {"total", "total"}};
    if (published) {
      names.insert({{"coarse", "E_out4"}, {"middle", "E_out3"}, {"final", "E_final"}});
      expect_equal(result.output, example["outputs"][2], at::kDouble);
    }
    expect_phase(result, example["phases"][published ? 0 : 1], names, at::kDouble, "seg.");
  }
}

}  // namespace
}  // namespace lacuna::methods::m3ae

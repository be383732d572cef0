// MCTSeg against the published code: outputs, losses and gradient norms for weights and inputs that
// a formula makes (tests/parity/README.md); crop 32^3, a token grid of 2^3.
#include "methods/mctseg/method.h"
#include "tests/methods/brain_box_parity.h"

namespace lacuna::methods::mctseg {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors made("mctseg");
  return made;
}

Method& method(at::ScalarType type) {
  static const std::unique_ptr<Method> made = [] {
    MethodSettings settings;
    settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
    settings.patch = data::Extent{32, 32, 32};
    auto method = std::make_unique<Method>(settings);
    fill_weights(*method, 1);
    return method;
  }();
  for (auto& parameter : made->module().parameters()) parameter.mutable_grad() = at::Tensor();
  made->module().to(type);
  return *made;
}

bool is_ignored(const std::string& name) {
  for (const std::string& prefix : method(at::kFloat).ignored_official_names()) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

// In the published order, without what never runs: it has no gradient there either.
TEST(MctsegParity, WeightsAreThoseOfTheFillFormula) {
  const auto named = method(at::kFloat).module().named_parameters();
  const Json& gradients = vectors().named("train")["gradients"];
  std::size_t at = 0;
  for (const Json& about : vectors().json()["parameters"]) {
    const auto name = about["name"].get<std::string>();
    EXPECT_EQ(is_ignored(name), gradients[name].is_null()) << name;
    if (is_ignored(name)) continue;
    ASSERT_LT(at, named.size());
    EXPECT_EQ(named[at].key(), name);
    const at::Tensor& weight = named[at++].value();
    EXPECT_EQ(weight.sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = about["abs_sum"];
    EXPECT_NEAR(weight.sum(at::kDouble).item<double>(), about["sum"], 1e-9 * scale) << name;
  }
  EXPECT_EQ(at, named.size());
}

TEST(MctsegParity, OutputsOfSubsetsAgree) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      expect_output(method(type), vectors(), vectors().named(name), type);
    }
  }
}

TEST(MctsegParity, EncodersAndTokensAgreeInDouble) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("eval_FLAIR+T1+T1c+T2");
  Network& network = method(at::kDouble).network();
  const at::Tensor image = vectors().input(example, at::kDouble);  // the network's own order
  const std::map<std::string, at::Tensor> found = {
      {"output of flair_trans", network.encode(image.narrow(1, 0, 1), 0, {}).tokens},
      {"output of t1_trans", network.encode(image.narrow(1, 2, 1), 2, {}).tokens}};
  int compared = 0;
  for (const Json& about : example["intermediates"]) {
    const auto what = about["what"].get<std::string>();
    if (!found.contains(what)) continue;
    SCOPED_TRACE(what);
    expect_moments(found.at(what), about, 1e-9);
    EXPECT_LT(vectors().sample_error(found.at(what), about), 1e-6);
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

TEST(MctsegParity, LossesAndGradientsAgree) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const char* name : {"train", "train_batch2"}) {
      Json example = vectors().named(name);
      for (Json& output : example["outputs"]) {
        if (output["what"] != "fused probabilities") continue;
        example["outputs"] = Json::array({output});
        break;
      }
      const Comparison result = expect_phase(method(type), vectors(), example, {}, type);
      if (!example.contains("gradients")) continue;
      if (type == at::kDouble) {
        expect_gradients(result, example, 1e-8, 1e-9);
      } else {
        expect_gradients(result, example, 2e-3, 1e-5 * largest_gradient(result));
      }
      for (const auto& [parameter, norm] : result.gradients) {
        EXPECT_TRUE(norm.has_value()) << parameter;
      }
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::mctseg

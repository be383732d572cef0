// MST-KDNet against the published code: outputs, losses and gradient norms for weights and inputs
// that a formula makes (tests/parity/README.md).
//
// One pair of networks (308 million weights) serves all tests and changes its type between them.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/fill.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/mst_kdnet/method.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::mst_kdnet {
namespace {

const data::ModalitySet& modalities() {
  static const data::ModalitySet set({"FLAIR", "T1", "T1c", "T2"});
  return set;
}

class MstKdParity : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    path_ = std::filesystem::path(std::getenv("LACUNA_SOURCE")) / "tests/parity";
    json_ = read_json(path_ / "mst-kdnet.json");
    file_ = std::make_unique<TensorFile>(path_ / "mst-kdnet.safetensors");
    MethodSettings settings;
    settings.patch = data::Extent{64, 96, 32};
    settings.options = Schema(binding().declared())
                           .resolve({{"official", true},
                                     {"dropout", false},
                                     {"statistics", "running"},
                                     {"attention_weight", 0},
                                     {"gram_weight", 0},
                                     {"adversarial_weight", 0}},
                                    "test");
    method_ = std::make_unique<Method>(settings);
    fill_weights(*method_, 1);
  }
  static void TearDownTestSuite() {
    method_.reset();
    file_.reset();
  }

  static Method& method(at::ScalarType type) {
    method_->module().to(type);
    return *method_;
  }
  static const Json& named(const Json& list, const std::string& name) {
    for (const Json& each : list) {
      if (each["name"] == name) return each;
    }
    throw std::runtime_error("no " + name);
  }
  static const Json& example(const std::string& name) { return named(json_["cases"], name); }
  static at::Tensor stored(const std::string& name) {
    return read_tensor(*file_, path_ / "mst-kdnet.safetensors", name);
  }
  static at::Tensor input(at::ScalarType type) {
    return fill("input", {1, 4, 64, 96, 32}, 1).to(type);
  }
  static SubsetMask subset_of(const Json& about) {
    SubsetMask subset = 0;
    for (const Json& name : about["available"]) {
      subset |= SubsetMask{1} << modalities().index(name.get<std::string>());
    }
    return subset;
  }
  // `what` in full, or up to a remark.
  static const Json& output(const Json& about, const std::string& what) {
    for (const char* list : {"outputs", "intermediates"}) {
      if (!about.contains(list)) continue;
      for (const Json& each : about[list]) {
        const auto text = each["what"].get<std::string>();
        if (text == what || text.starts_with(what + " ")) return each;
      }
    }
    throw std::runtime_error("no output " + what);
  }

  static void expect_equal(const at::Tensor& tensor, const Json& about, double moments,
                           double samples) {
    SCOPED_TRACE(about["what"].get<std::string>());
    const at::Tensor wide = tensor.to(at::kDouble);
    ASSERT_EQ(wide.sizes().vec(), about["shape"].get<std::vector<std::int64_t>>());
    const double mean = about["mean"], std = about["std"];
    EXPECT_NEAR(wide.mean().item<double>(), mean, moments * std::max(std::abs(mean), std));
    EXPECT_NEAR(wide.std(/*unbiased=*/false).item<double>(), std, moments * std);
    if (!about.contains("tensor")) return;
    const auto s = about["stride"].get<std::int64_t>();
    at::Tensor sampled = wide;
    for (std::int64_t axis = std::max<std::int64_t>(0, wide.dim() - 3); axis < wide.dim(); ++axis) {
      sampled = sampled.slice(axis, 0, wide.size(axis), s);
    }
    const at::Tensor expected = stored(about["tensor"]).to(at::kDouble);
    ASSERT_EQ(sampled.sizes(), expected.sizes());
    EXPECT_LT((sampled - expected).abs().max().item<double>() / std, samples);
  }

  static void expect_norm(const torch::OrderedDict<std::string, at::Tensor>& parameters,
                          const std::string& name, const Json& wanted) {
    const at::Tensor* parameter = parameters.find(name);
    ASSERT_NE(parameter, nullptr) << name;
    const double norm = wanted.is_null() ? 0 : wanted.get<double>();
    const at::Tensor& grad = parameter->grad();
    // Norms are given to 10 digits; below 1e-9 they are the rounding residue of an exact zero.
    EXPECT_NEAR(grad.defined() ? grad.norm().item<double>() : 0, norm,
                std::max(1e-8 * norm, residue_))
        << name;
  }

  // What the student makes of a subset.
  static void expect_student(const Output& out, const Json& about) {
    expect_equal(out.logit, output(about, "model_missing logit"), 1e-9, 1e-6);
    expect_equal(out.style, output(about, "model_missing style"), 1e-9, 1e-6);
    expect_equal(out.content, output(about, "model_missing content"), 1e-9, 1e-6);
    for (std::size_t k = 0; k < 4; ++k) {
      expect_equal(out.features[k], output(about, fmt::format("model_missing unetr_fs[{}]", k)),
                   1e-9, 1e-6);
    }
  }

  static constexpr models::ForwardMode kEvaluated{.running_statistics = true};
  static inline double residue_ = 1e-9;
  static inline std::filesystem::path path_;
  static inline Json json_;
  static inline std::unique_ptr<TensorFile> file_;
  static inline std::unique_ptr<Method> method_;
};

TEST_F(MstKdParity, WeightsAreThoseOfTheFillFormula) {
  const auto parameters = method(at::kFloat).module().named_parameters();
  int compared = 0;
  for (const Json& about : json_["parameters"]) {
    const auto name = about["name"].get<std::string>();
    if (name.starts_with("d_style.") || name.find("running") != std::string::npos ||
        name.ends_with("num_batches_tracked")) {
      continue;  // the discriminator is made for another size below
    }
    const at::Tensor* weight = parameters.find(name);
    ASSERT_NE(weight, nullptr) << name;
    EXPECT_EQ(weight->sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = about["abs_sum"];
    EXPECT_NEAR(weight->sum(at::kDouble).item<double>(), about["sum"], 1e-9 * scale) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 806);
}

TEST_F(MstKdParity, OutputsAgreeInFloat) {
  const torch::NoGradGuard no_grad;
  for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
    const Json& about = example(name);
    expect_equal(method(at::kFloat).forward(input(at::kFloat), subset_of(about)),
                 output(about, "model_missing logit"), 2e-4, 2e-4);
  }
}

TEST_F(MstKdParity, EveryIntermediateAgreesInDouble) {
  const torch::NoGradGuard no_grad;
  const Json& about = example("eval_FLAIR+T1+T1c+T2");
  const auto full = method(at::kDouble).teacher().forward(input(at::kDouble), kEvaluated);
  expect_equal(full.logit, output(about, "model_full logit"), 1e-9, 1e-6);
  expect_equal(full.style, output(about, "model_full style"), 1e-9, 1e-6);
  const auto out = method(at::kDouble).student().forward(input(at::kDouble), kEvaluated);
  expect_student(out, about);
  expect_equal(out.c3d, output(about, "model_missing output of ds3"), 1e-9, 1e-6);
  expect_equal(out.merged, output(about, "model_missing output of convco"), 1e-9, 1e-6);
  expect_equal(out.bottleneck - out.c3d, output(about, "model_missing output of Unetr"), 1e-9,
               1e-6);
  for (std::size_t k = 0; k < 4; ++k) {
    expect_equal(out.attention[k],
                 output(about, fmt::format("model_missing attention probabilities of layer {}",
                                           3 * (k + 1))),
                 1e-9, 1e-6);
  }
}

TEST_F(MstKdParity, OutputsAndFeaturesOfSubsetsAgreeInDouble) {
  const torch::NoGradGuard no_grad;
  for (const char* name : {"eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
    SCOPED_TRACE(name);
    const Json& about = example(name);
    const at::Tensor image = zero_fill(input(at::kDouble), {subset_of(about)});
    expect_student(method(at::kDouble).student().forward(image, kEvaluated), about);
  }
}

// One forward pass; the gradients of the sum without EVD, of the whole sum, and of GSM alone.
TEST_F(MstKdParity, LossesAndGradientsAgreeInDouble) {
  const Json& about = example("train");
  const Json& joint = named(about["phases"], "joint");
  Method& kd = method(at::kDouble);
  for (auto& parameter : kd.module().parameters()) parameter.set_requires_grad(true);
  Batch batch;
  batch.image = input(at::kDouble);
  batch.label = fill_label({1, 64, 96, 32}, 1);
  batch.subsets = {{subset_of(about)}};
  Progress progress;
  progress.stage_step = joint["epoch"];
  const Loss loss = kd.loss("joint", batch, progress);
  const std::map<std::string, at::Tensor> parts(loss.parts.begin(), loss.parts.end());

  expect_equal(loss.output, output(about, "model_missing logit"), 1e-9, 1e-6);
  const std::map<std::string, const char*> names = {
      {"dice_full", "loss_dc"},    {"dice_missing", "loss_miss_dc"},
      {"content", "content_loss"}, {"consistency", "consistency_loss"},
      {"features", "unetr_loss"},  {"attention", "evd_loss"},
      {"logits", "slkd_loss"},     {"gram", "gsm_loss (not in loss_Co)"}};
  for (const auto& [ours, published] : names) {
    const double wanted = joint["losses"][published];
    EXPECT_NEAR(parts.at(ours).item<double>(), wanted, 1e-9 * std::abs(wanted)) << ours;
  }
  const Json& without = named(about["phases"], "joint without evd_loss");
  EXPECT_NEAR(loss.total.item<double>(), without["losses"]["total"], 1e-9 * 48.8);
  const at::Tensor whole = loss.total + 1e8 * parts.at("attention");
  EXPECT_NEAR(whole.item<double>(), joint["losses"]["loss_Co"], 1e-9 * 1.56e7);

  const auto parameters = kd.module().named_parameters();
  loss.total.backward({}, /*keep_graph=*/true);
  for (const auto& [name, norm] : joint["gradients"].items()) {
    const Json& own = without["gradients"];
    expect_norm(parameters, name, own.contains(name) ? own[name] : norm);
  }
  (1e8 * parts.at("attention")).backward({}, /*keep_graph=*/true);
  residue_ = 1e-7;  // gradients of 1e8 leave larger residues of their zeros
  for (const auto& [name, norm] : joint["gradients"].items()) expect_norm(parameters, name, norm);
  for (auto& parameter : kd.module().parameters()) parameter.mutable_grad() = at::Tensor();
  parts.at("gram").backward();
  residue_ = 1e-18;  // these norms are small and no residue
  for (const auto& [name, norm] :
       named(about["phases"], "gsm (commented out in the released script)")["gradients"].items()) {
    expect_norm(parameters, name, norm);
  }
  residue_ = 1e-9;
  for (auto& parameter : kd.module().parameters()) parameter.mutable_grad() = at::Tensor();
}

TEST_F(MstKdParity, TheDiscriminatorAgreesInDouble) {
  const Json& phases = example("train")["phases"];
  models::StyleDiscriminator judge(128, {20, 24, 16}, 1);
  {
    const torch::NoGradGuard no_grad;
    for (auto& item : judge.named_parameters()) {
      item.value().copy_(fill("d_style." + item.key(), item.value().sizes(), 1));
    }
  }
  judge.to(at::kDouble);
  // Values u, as of an input: the formula's bound for rows of 6 elements is 1.
  const auto style = [](const char* name) {
    return fill(name, {128 * 20 * 24 * 16 / 6, 6}, 1).view({1, 128, 20, 24, 16}).to(at::kDouble);
  };
  const auto bce = [&](const at::Tensor& x, double label) {
    const at::Tensor logit = judge.forward(x);
    return at::binary_cross_entropy_with_logits(logit, at::full_like(logit, label));
  };
  const auto expect_phase = [&](const Json& phase, const at::Tensor& loss) {
    const double wanted = phase["losses"].begin()->get<double>();
    EXPECT_NEAR(loss.item<double>(), wanted, 1e-9 * wanted) << phase["name"];
  };
  const Json& adversarial = named(phases, "adversarial");
  const at::Tensor missing = style("style_missing").requires_grad_();
  const at::Tensor fooled = 2e-4 * bce(missing, 0);
  expect_phase(adversarial, fooled);
  fooled.backward();
  const Json& about = adversarial["gradient_wrt_style_missing"];
  EXPECT_NEAR(missing.grad().norm().item<double>(), about["l2"], 1e-8 * 1.05e-4);
  const at::Tensor sampled =
      missing.grad().slice(2, 0, 20, 8).slice(3, 0, 24, 8).slice(4, 0, 16, 8);
  EXPECT_LT((sampled - stored(about["tensor"]).to(at::kDouble)).abs().max().item<double>(),
            1e-6 * about["std"].get<double>());
  for (const auto& [name, label] : {std::pair{"full", 0.0}, std::pair{"missing", 1.0}}) {
    const Json& phase = named(phases, std::string("discriminator ") + name);
    for (auto& parameter : judge.parameters()) parameter.mutable_grad() = at::Tensor();
    const at::Tensor loss = bce(style((std::string("style_") + name).c_str()), label);
    expect_phase(phase, loss);
    loss.backward();
    const auto parameters = judge.named_parameters();
    for (const auto& [parameter, norm] : phase["gradients"].items()) {
      const std::string own = parameter.substr(std::string("d_style.").size());
      EXPECT_NEAR(parameters[own].grad().norm().item<double>(), norm, 1e-8 * norm.get<double>())
          << parameter;
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::mst_kdnet

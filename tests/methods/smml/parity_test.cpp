// SMML against the published code: outputs, losses and gradient norms for weights and inputs that a
// formula makes (tests/parity/README.md); crop 48^3, a token grid of 3^3. The losses between the
// networks are not public: their vectors (smml-losses) are our own arithmetic from the card.
#include "losses/channel_kl.h"
#include "losses/class_targets.h"
#include "losses/prototype_relation.h"
#include "losses/selective_kl.h"
#include "methods/smml/method.h"
#include "tests/methods/brain_box_parity.h"

namespace lacuna::methods::smml {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors made("smml");
  return made;
}

// What is left of the published step at epoch 0: no term between the networks, raw refined logits.
Method& method(at::ScalarType type) {
  static const std::unique_ptr<Method> made = [] {
    MethodSettings settings;
    settings.options = Schema(binding().declared())
                           .resolve({{"prototype", false},
                                     {"pixel", false},
                                     {"refined", "logits"},
                                     {"label_map", "samseg"}},
                                    "test");
    settings.patch = data::Extent{48, 48, 48};
    auto method = std::make_unique<Method>(settings);
    fill_weights(*method, 1);
    return method;
  }();
  for (auto& parameter : made->module().parameters()) parameter.mutable_grad() = at::Tensor();
  made->module().to(type);
  return *made;
}

TEST(SmmlParity, WeightsAreThoseOfTheFillFormula) {
  Method& smml = method(at::kFloat);
  std::map<std::string, at::Tensor> named;
  for (const auto& item : smml.module().named_parameters()) named[item.key()] = item.value();
  for (const auto& item : smml.module().named_buffers()) named[item.key()] = item.value();
  for (const Json& about : vectors().json()["parameters"]) {
    const auto name = about["name"].get<std::string>();
    ASSERT_TRUE(named.contains(name)) << name;
    const at::Tensor& weight = named[name];
    EXPECT_EQ(weight.sizes().vec(), about["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = about["abs_sum"];
    EXPECT_NEAR(weight.sum(at::kDouble).item<double>(), about["sum"], 1e-9 * scale) << name;
    named.erase(name);
  }
  EXPECT_TRUE(named.empty()) << named.begin()->first;
}

TEST(SmmlParity, OutputsOfSubsetsAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const char* name : {"eval_FLAIR+T1+T1c+T2", "eval_FLAIR", "eval_T1c+T2", "eval_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      Method& smml = method(type);
      const bool wide = type == at::kDouble;
      const at::Tensor published = vectors().input(example, type);
      const ModalityOrder order(data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), rfnet_order());
      at::Tensor mean;
      for (std::size_t i = 0; i < 2; ++i) {
        const Json& about = example["outputs"][i];
        const at::Tensor own =
            smml.network(i).segment(published, order.present(subset_of(example)));
        if (wide) expect_moments(own, about, 1e-9);
        EXPECT_LT(vectors().sample_error(own, about), wide ? 1e-6 : float_tolerance(example));
        mean = mean.defined() ? (mean + own) / 2 : own;
      }
      expect_moments(mean, example["outputs"][2], wide ? 1e-9 : 1e-4);
      if (wide || name != std::string("eval_T1c+T2")) continue;
      const at::Tensor image = from_published_channels(smml, published);
      EXPECT_TRUE(at::equal(smml.forward(image, subset_of(example)), mean));
    }
  }
}

// One backward pass of both networks' losses holds what two of each give.
TEST(SmmlParity, LossesAndGradientsAgree) {
  const Json& example = vectors().named("train");
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const bool wide = type == at::kDouble;
    Method& smml = method(type);
    Batch batch;
    batch.image = from_published_channels(smml, vectors().input(example, type));
    batch.label = fill_label({1, 48, 48, 48}, 1);
    batch.subsets = {{subset_of_names(example["available"][0])},
                     {subset_of_names(example["available"][1])}};
    batch.extras["samseg"] = fill_input("samseg", {1, 16, 48, 48, 48}, 1).to(type);
    const Comparison result = compare_phase(smml, "train", batch, {.steps = 1000});
    std::map<std::string, double> losses(result.losses.begin(), result.losses.end());
    Json gradients = Json::object();
    double total = 0;
    for (const Json& phase : example["phases"]) {
      const auto prefix = phase["network"].get<std::string>() + "_";
      for (const auto& [name, value] : phase["losses"].items()) {
        const auto wanted = value.get<double>();
        if (name == "total") {
          total += wanted;
        } else if (name.find("with softmax") == std::string::npos) {
          EXPECT_NEAR(losses.at(prefix + name), wanted, (wide ? 1e-9 : 2e-5) * wanted)
              << prefix << name;
        }
      }
      for (const auto& [name, norm] : phase["gradients"].items()) gradients[name] = norm;
    }
    EXPECT_NEAR(losses.at("total"), total, (wide ? 1e-9 : 2e-5) * total);
    ASSERT_EQ(gradients.size(), 696u);
    const Json expected = {{"gradients", gradients}};
    if (wide) {
      expect_gradients(result, expected, 1e-8, 1e-9);
    } else {
      expect_gradients(result, expected, 2e-3, 1e-5 * largest_gradient(result));
    }
    for (const auto& [name, norm] : result.gradients) {
      EXPECT_EQ(norm.has_value(), !gradients[name].is_null()) << name;
    }
    for (auto& parameter : smml.module().parameters()) parameter.mutable_grad() = at::Tensor();
  }
}

TEST(SmmlParity, FeaturesAndRefinedOutputsAgreeInDouble) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("train");
  Method& smml = method(at::kDouble);
  const at::Tensor image = vectors().input(example, at::kDouble);
  const ModalityOrder order(data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), rfnet_order());
  const at::Tensor one_hot =
      losses::class_targets(fill_label({1, 48, 48, 48}, 1), 4, at::kDouble).one_hot;
  const at::Tensor masks =
      masks_of_array(fill_input("samseg", {1, 16, 48, 48, 48}, 1).to(at::kDouble), 4);
  for (std::size_t i = 1; i < 2; ++i) {
    const at::Tensor mask = order.mask({subset_of_names(example["available"][i])}, image);
    const auto out = smml.network(i).train(image, mask, std::vector<models::ForwardMode>(5));
    const Json& outputs = example["phases"][i]["outputs"];
    const std::array<at::Tensor, 3> found = {
        out.fused.logits, out.fused.bottleneck,
        smml.network(i).refine(masks, mask, one_hot, out.fused.logits)};
    for (std::size_t k = 0; k < 3; ++k) {
      expect_moments(found[k], outputs[k], 1e-9);
      EXPECT_LT(vectors().sample_error(found[k], outputs[k]), 1e-6);
    }
  }
}

// The losses between the networks.
class SmmlLossParity : public ::testing::Test {
 protected:
  static at::Tensor leaf(const char* name, at::IntArrayRef shape, double factor) {
    return (fill_input(name, shape, 1).to(at::kDouble) * factor).set_requires_grad(true);
  }
  static void expect(const Json& about, const at::Tensor& value, const at::Tensor& own) {
    EXPECT_NEAR(value.item<double>(), about.at("value"), 1e-9 * about.at("value").get<double>());
    own.mutable_grad() = at::Tensor();
    value.backward({}, /*retain_graph=*/true);
    EXPECT_NEAR(own.grad().norm().item<double>(), about.at("norm"),
                1e-8 * about.at("norm").get<double>());
  }
  static Json about(const Json& example, const std::string& loss, const char* leaf) {
    for (const Json& phase : example["phases"]) {
      if (phase["name"] == loss) {
        return {{"value", example["losses"][loss]}, {"norm", phase["gradients"][leaf]}};
      }
    }
    return {};
  }
  const ParityVectors vectors_{"smml-losses"};
  const at::Tensor one_hot_ =
      losses::class_targets(fill_label({2, 32, 32, 32}, 1), 4, at::kDouble).one_hot;
  const at::Tensor z1_ = leaf("z1", {2, 4, 32, 32, 32}, 4), z2_ = leaf("z2", {2, 4, 32, 32, 32}, 4);
};

TEST_F(SmmlLossParity, PixelLossesAgree) {
  const Json& example = vectors_.named("pbc");
  for (const bool reverse : {false, true}) {
    const std::string suffix = reverse ? "_reverse" : "";
    const at::Tensor sums =
        losses::selective_kl_sums(z1_, z2_, one_hot_, {.from_teacher = reverse});
    const at::Tensor all = losses::selective_kl_loss(sums.sum(0));
    EXPECT_EQ(sums.sum(0)[0][1].item<double>(), example["N21"].get<double>());
    EXPECT_EQ(sums.sum(0)[1][1].item<double>(), example["N12"].get<double>());
    expect(about(example, "L_pc1" + suffix, "z1"), all[0], z1_);
    expect(about(example, "L_pc2" + suffix, "z2"), all[1], z2_);
    if (reverse) continue;
    const at::Tensor each = losses::selective_kl_loss(sums).mean(0);
    expect(about(example, "L_pc1_per_sample", "z1"), each[0], z1_);
    expect(about(example, "L_pc2_per_sample", "z2"), each[1], z2_);
  }
}

TEST_F(SmmlLossParity, PrototypeLossesAgree) {
  const Json& example = vectors_.named("frc");
  const at::Tensor f1 = leaf("f1", {2, 24, 2, 2, 2}, 1), f2 = leaf("f2", {2, 24, 2, 2, 2}, 1);
  const at::Tensor cells = losses::class_cells(one_hot_, {2, 2, 2});
  const at::Tensor p = losses::class_prototypes(f1, cells), q = losses::class_prototypes(f2, cells);
  const at::Tensor present = losses::classes_present(cells);
  EXPECT_EQ(present.sum().item<double>(), 7);
  const at::Tensor weights = (losses::class_entropy(z1_) + losses::class_entropy(z2_)) / 2;
  for (int b = 0; b < 2; ++b) {
    for (int c = 0; c < 4; ++c) {
      EXPECT_NEAR(weights[b][c].item<double>(), example["W"][b][c].get<double>(), 1e-5);
    }
  }
  const auto relation = [&](const at::Tensor& own, const at::Tensor& other, bool shares) {
    return losses::prototype_relation(own, other.detach(), weights, present, shares);
  };
  expect(about(example, "L_fc", "f1"), relation(p, q, true), f1);
  expect(about(example, "L_fc", "f2"), relation(q, p, true), f2);
  expect(about(example, "L_fc_raw", "f1"), relation(p, q, false), f1);
}

TEST_F(SmmlLossParity, TheRefinementsDivergenceAgrees) {
  const Json& example = vectors_.named("ref");
  const at::Tensor refined = leaf("refined1", {2, 4, 32, 32, 32}, 4);
  const at::Tensor value = losses::channel_kl(z1_, refined).mean();
  expect(about(example, "L_ref1", "z1"), value, z1_);
  expect(about(example, "L_ref1", "refined1"), value, refined);
}

}  // namespace
}  // namespace lacuna::methods::smml

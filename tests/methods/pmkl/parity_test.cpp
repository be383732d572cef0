// PMKL against a PyTorch port that was patched to the published network, and against the card's
// formulas where nobody published numbers (embeddings, contrast, voxel-wise losses): for weights
// and inputs that a formula makes (tests/parity/README.md). The vectors have five classes; decay is
// that of the optimiser here.
#include "tests/methods/parity.h"

#include <cmath>
#include <memory>

#include <gtest/gtest.h>

#include "losses/class_sums.h"
#include "losses/privileged_distillation.h"
#include "methods/pmkl/method.h"

namespace lacuna::methods::pmkl {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors read("pmkl");
  return read;
}

const ParityVectors& heads() {
  static const ParityVectors read("pmkl-heads");
  return read;
}

std::unique_ptr<Method> make(Json options, at::ScalarType type) {
  MethodSettings settings;
  settings.patch = data::Extent{32, 32, 48};
  options.update({{"resection", "class"}, {"contrastive_weight", 0}});
  settings.options = Schema(binding().declared()).resolve(options, "test");
  auto method = std::make_unique<Method>(settings);
  fill_weights(*method, 1);
  method->module().to(type);
  return method;
}

TEST(PmklParity, WeightsAreThoseOfTheFillFormula) {
  const auto method = make({{"subset", "T1c"}}, at::kFloat);
  const auto parameters = method->module().named_parameters();
  for (const Json& stated : vectors().json()["parameters"]) {
    const auto name = stated["name"].get<std::string>();
    const at::Tensor* weight = parameters.find(name);
    ASSERT_NE(weight, nullptr) << name;
    EXPECT_EQ(weight->sizes().vec(), stated["shape"].get<std::vector<std::int64_t>>()) << name;
    const double scale = stated["abs_sum"];
    EXPECT_NEAR(weight->sum(at::kDouble).item<double>(), stated["sum"], 1e-9 * scale) << name;
  }
  EXPECT_EQ(parameters.size(), vectors().json()["parameters"].size());
}

TEST(PmklParity, OutputsOfTeacherAndStudentsAgree) {
  const torch::NoGradGuard no_grad;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const char* name :
         {"eval_teacher", "eval_student_T1c", "eval_student_FLAIR", "eval_student_T1"}) {
      SCOPED_TRACE(name);
      const Json& example = vectors().named(name);
      const bool teacher = example["available"].size() == 4;
      const auto method = make(
          teacher ? Json{{"teacher", "alone"}} : Json{{"subset", example["available"][0]}}, type);
      const at::Tensor image = from_published_channels(*method, vectors().input(example, type));
      const at::Tensor output = method->forward(image, subset_of(example));
      const Json& about = example["outputs"][0];
      const bool wide = type == at::kDouble;
      if (wide) expect_moments(output, about, 1e-9);
      EXPECT_LT(vectors().sample_error(output, about), wide ? 1e-6 : float_tolerance(example));
    }
  }
}

TEST(PmklParity, LossesAndEveryGradientAgree) {
  const Json& example = vectors().named("train");
  const Json& phase = example["phases"][0];
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto method = make({{"subset", "T1c"}}, type);
    Batch batch = parity_batch(vectors(), example, *method, type);
    batch.label = fill_label(batch.label.sizes(), 1, 5);
    const Comparison result = compare_phase(*method, "student", batch, {});
    expect_losses(result, phase, wide ? 1e-9 : 1e-4);
    std::size_t compared = 0;
    const double largest = largest_gradient(result);
    for (const auto& [name, norm] : result.gradients) {
      if (name.starts_with("teacher.")) {
        EXPECT_FALSE(norm.has_value()) << name;
        continue;
      }
      const double wanted = phase["gradients"].at(name);
      ASSERT_TRUE(norm.has_value()) << name;
      EXPECT_NEAR(*norm, wanted,
                  wide ? std::max(1e-8 * wanted, 1e-9)  // printed to ten digits
                       : std::max(3e-3 * wanted, 1e-5 * largest))
          << name;
      ++compared;
    }
    EXPECT_EQ(compared, phase["gradients"].size());
  }
}

// The heads' vectors: features of 16^3, windows of 8^3.
TEST(PmklHeadsParity, EmbeddingsContrastAndGradientsAgree) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    for (const bool global : {false, true}) {
      const Json& example = heads().named(global ? "heads_global_pool" : "heads");
      SCOPED_TRACE(example["name"].get<std::string>());
      const auto make = [&](const std::string& name) {
        auto head = std::make_shared<EmbeddingHead>(16, data::Extent{16, 16, 16}, global);
        const torch::NoGradGuard no_grad;
        for (auto& item : head->named_parameters()) {
          item.value().copy_(
              fill((global ? "global." : "") + name + "." + item.key(), item.value().sizes(), 1));
        }
        head->to(type);
        return head;
      };
      const auto student = make("metric_prs"), teacher = make("metric_abs");
      const auto input = [&](const char* name) {
        return fill_input(name, {3, 16, 16, 16, 16}, 1).to(type).requires_grad_();
      };
      const at::Tensor student_d1 = input("student_d1"), teacher_d1 = input("teacher_d1");
      const at::Tensor a = student->forward(student_d1), b = teacher->forward(teacher_d1);
      for (const at::Tensor* each : {&a, &b}) {
        const Json& about = example["outputs"][each == &a ? 0 : 1];
        if (wide) expect_moments(each->detach(), about, 1e-9);
        EXPECT_LT(heads().sample_error(each->detach(), about), wide ? 1e-6 : 2e-4);
        EXPECT_LT((each->detach().norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
      }
      for (std::int64_t i = 0; i < 3; ++i) {
        for (std::int64_t j = 0; j < 3; ++j) {
          const double d = (a[i] - b[j]).norm().item<double>();
          EXPECT_NEAR(d, example["distances"][i][j], wide ? 1e-9 : 1e-4);
        }
      }
      const at::Tensor loss = losses::pair_contrast(a, b, 1e-12);
      const double contrast = example["losses"]["contrastive"];
      EXPECT_NEAR(loss.item<double>(), contrast, (wide ? 1e-9 : 1e-4) * contrast);
      double squares = 0;
      for (const auto& head : {student, teacher}) {
        for (const at::Tensor& kernel : head->parameters()) {
          squares += kernel.to(at::kDouble).square().sum().item<double>();
        }
      }
      EXPECT_NEAR(1e-5 / 2 * squares, example["losses"]["l2"], 1e-11);
      loss.backward();
      std::map<std::string, at::Tensor> found = {{"student_d1", student_d1.grad()},
                                                 {"teacher_d1", teacher_d1.grad()}};
      for (const auto& [name, head] : {std::pair("metric_prs", student), {"metric_abs", teacher}}) {
        for (const auto& item : head->named_parameters()) {
          found[(global ? "global." : "") + std::string(name) + "." + item.key()] =
              item.value().grad();
        }
      }
      for (const auto& [name, norm] : example["gradients"].items()) {
        ASSERT_TRUE(found.contains(name)) << name;
        EXPECT_NEAR(found[name].norm().item<double>(), norm.get<double>(),
                    (wide ? 1e-8 : 1e-3) * norm.get<double>())
            << name;
      }
    }
  }
}

TEST(PmklHeadsParity, VoxelwiseLossesAgree) {
  const Json& example = heads().named("pixel_losses");
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const bool wide = type == at::kDouble;
    const auto logits = [&](const char* name) {
      return (fill_input(name, {2, 5, 8, 12, 16}, 1).to(at::kDouble) * 6).to(type);
    };
    const at::Tensor teacher = logits("teacher_logits");
    const auto targets = losses::class_targets(fill_label({2, 8, 12, 16}, 1, 5), 5, type);
    for (const Json& phase : example["phases"]) {
      const auto name = phase["name"].get<std::string>();
      const at::Tensor student = logits("student_logits").requires_grad_();
      const auto [cross_entropy, dice] =
          losses::class_losses(losses::class_sums(student.softmax(1), targets));
      const auto voxels = losses::trusted_distillation(student, teacher, targets, 10);
      const at::Tensor sums = losses::trusted_sums(voxels), kd = losses::trusted_mean(sums, 1e-8);
      const std::map<std::string, at::Tensor> found = {
          {"ce", cross_entropy}, {"dice", dice},     {"pixel_kd", kd},
          {"sum_rk", sums[0]},   {"sum_r", sums[1]}, {"total", cross_entropy + dice + 0.5 * kd}};
      for (const auto& [part, value] : example["losses"].items()) {
        EXPECT_NEAR(found.at(part).item<double>(), value.get<double>(),
                    (wide ? 1e-9 : 1e-4) * value.get<double>())
            << part;
      }
      for (const Json& about : example["outputs"]) {
        const bool trust = about["what"] == "regulariser r";
        const at::Tensor tensor = (trust ? voxels.trust : voxels.divergence.detach()).unsqueeze(1);
        if (wide) expect_moments(tensor, about, 1e-9);
        // Samples are stored in float32, and k lies between 1 and 2 with a small deviation: half of
        // their last digit, 2^-24, is more than 1e-6 of it.
        const double stored = std::ldexp(1, -24) / about["std"].get<double>();
        EXPECT_LT(heads().sample_error(tensor, about), wide ? std::max(1e-6, stored) : 2e-4);
      }
      EXPECT_EQ((voxels.trust > 0).sum().item<std::int64_t>(), example["voxels_with_r"]);
      found.at(name).backward();
      const double norm = phase["gradients"]["student_logits"];
      EXPECT_NEAR(student.grad().norm().item<double>(), norm, (wide ? 1e-8 : 1e-3) * norm) << name;
    }
  }
}

}  // namespace
}  // namespace lacuna::methods::pmkl

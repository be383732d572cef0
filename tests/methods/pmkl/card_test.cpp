// The checks of the card, section 10, that need no vectors. Rates are in tests/worker, windows in
// tests/evaluation, cross entropy, Dice and the norm beside them in tests/methods/robust_mseg.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/class_sums.h"
#include "losses/privileged_distillation.h"
#include "methods/pmkl/method.h"
#include "models/initialisation.h"

namespace lacuna::methods::pmkl {
namespace {

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

std::unique_ptr<Method> make(const Json& options, double width = 1,
                             const std::optional<data::Extent>& patch = std::nullopt) {
  torch::manual_seed(4);
  MethodSettings settings;
  settings.width = width;
  settings.patch = patch;
  settings.options = Schema(binding().declared()).resolve(options, "test");
  return std::make_unique<Method>(settings);
}

// Check 1, at the published crop.
TEST(PmklCard, ParametersAreThoseOfTheCode) {
  const auto method = make({{"resection", "class"}, {"subset", "T1c"}});
  EXPECT_EQ(count(method->module(), "student."), 2'056'309);
  EXPECT_EQ(count(method->module(), "student.ce."), 1'469'232);
  EXPECT_EQ(count(method->module(), "student.mask_de."), 587'077);
  EXPECT_EQ(count(method->module(), "teacher."), 6'650'309);
  EXPECT_EQ(count(method->module(), "metric_prs."), 35'288'064);
  EXPECT_EQ(count(method->module(), "metric_abs."), 35'288'064);
  std::int64_t trained = 0;
  const auto named = method->module().named_parameters();
  const Stage student = method->stages(2).back();
  for (const TrainedGroup& group : student.phases.at(0).trains) {
    for (const ParameterGroup& own : method->groups()) {
      if (own.name != group.group) continue;
      for (const std::string& name : own.parameters) trained += named[name].numel();
    }
  }
  EXPECT_EQ(trained, 72'632'437);
  const auto one = make({{"resection", "class"},
                         {"subset", "T1c"},
                         {"student_input", "channels"},
                         {"global_pool", true}});
  EXPECT_EQ(count(one->module(), "student."), 2'055'013);
  EXPECT_EQ(count(one->module(), "metric_prs."), 1'024);
  const auto four = make({{"global_pool", true}});
  EXPECT_EQ(count(four->module(), "student."), 2'056'292);
  EXPECT_EQ(count(four->module(), "teacher."), 6'650'292);
}

// Check 2, at another extent.
TEST(PmklCard, ShapesAreThoseOfTheCard) {
  const torch::NoGradGuard no_grad;
  const auto student = std::make_shared<Student>(4, 5, 1);
  models::initialise_gated(*student, false);
  const auto out = student->forward(torch::randn({2, 4, 24, 16, 32}));
  EXPECT_EQ(out.logits.sizes(), (at::IntArrayRef{2, 5, 24, 16, 32}));
  EXPECT_EQ(out.features.sizes(), (at::IntArrayRef{2, 16, 24, 16, 32}));
  models::ModalityEncoder encoder(models::gated_channels(1), models::gated_style(), 4);
  const auto levels = encoder.forward(torch::randn({1, 4, 24, 16, 32}));
  for (std::int64_t l = 0; l < 4; ++l) {
    EXPECT_EQ(levels[static_cast<std::size_t>(l)].sizes(),
              (at::IntArrayRef{1, 16 << l, 24 >> l, 16 >> l, 32 >> l}));
  }
  // Sides that differ: 13 x 9 x 17 windows of 12 x 8 x 16.
  EmbeddingHead head(16, {24, 16, 32}, false);
  EXPECT_EQ(count(head), 16 * 13 * 9 * 17 * 32 + 512);
  for (auto& weight : head.parameters()) weight.uniform_(-1, 1);
  const at::Tensor embedding = head.forward(out.features);
  EXPECT_EQ(embedding.sizes(), (at::IntArrayRef{2, 16}));
  EXPECT_LT((embedding.norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
}

// The windows' means, axis by axis, are those of the whole window.
TEST(PmklCard, EmbeddingsSeeEveryWindow) {
  const torch::NoGradGuard no_grad;
  EmbeddingHead head(2, {4, 6, 4}, false);
  head.to(at::kDouble);
  torch::manual_seed(3);
  for (auto& weight : head.parameters()) weight.uniform_(-1, 1);
  const at::Tensor x = torch::randn({3, 2, 4, 6, 4}, at::kDouble);
  const at::Tensor means = at::avg_pool3d(x, {2, 3, 2}, 1).flatten(1);
  const auto named = head.named_parameters();
  const at::Tensor raw =
      at::relu(means.mm(named["linear_0.weight"].t())).mm(named["linear_1.weight"].t());
  const at::Tensor expected = raw / raw.norm(2, 1, /*keepdim=*/true);
  EXPECT_LT((head.forward(x) - expected).abs().max().item<double>(), 1e-12);
  EXPECT_TRUE(head.forward(at::zeros_like(x)).isfinite().all().item<bool>());
}

// Check 3.
TEST(PmklCard, UnitsNormaliseAsTheCardSays) {
  const torch::NoGradGuard no_grad;
  models::UnitStyle plain = models::gated_style();
  plain.slope = 1;
  models::ConvUnit unit(1, 1, 1, models::gated_style()), norm(1, 1, 1, plain);
  for (models::ConvUnit* each : {&unit, &norm}) {
    each->to(at::kDouble);
    each->conv->weight.fill_(1);
  }
  const at::Tensor x = at::tensor({1., 2., 3., 4.}, at::kDouble).view({1, 1, 1, 1, 4});
  EXPECT_NEAR(norm.forward(x).flatten()[0].item<double>(), -1.3416402, 1e-7);
  EXPECT_NEAR(unit.forward(x).flatten()[0].item<double>(), -0.2683280, 1e-7);
  const at::Tensor before = unit.forward(x);
  unit.conv->bias.fill_(17);
  EXPECT_LT((unit.forward(x) - before).abs().max().item<double>(), 1e-5);
}

// Check 4.
TEST(PmklCard, CrossEntropyAndDiceOfTheWorkedExample) {
  const at::Tensor label = at::tensor({0, 1}, at::kByte).view({1, 1, 1, 2});
  const at::Tensor p = at::tensor({.7, .2, .3, .8}, at::kDouble).view({1, 2, 1, 1, 2});
  const auto losses =
      losses::class_losses(losses::class_sums(p, losses::class_targets(label, 2, at::kDouble)));
  EXPECT_NEAR(losses.cross_entropy.item<double>(), 0.1449546, 1e-7);
  EXPECT_NEAR(losses.dice.item<double>(), 0.0800560, 1e-7);
}

at::Tensor voxels(const std::vector<std::vector<double>>& rows) {
  std::vector<double> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return at::tensor(flat, at::kDouble)
      .view({1, static_cast<std::int64_t>(rows.size()), 1, 1, 5})
      .movedim(4, 1)
      .squeeze(4)
      .unsqueeze(4)
      .contiguous();
}

// Check 5.
TEST(PmklCard, VoxelwiseDistillationOfTheWorkedExample) {
  at::Tensor student = voxels({{2, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {0, 2, 0, 0, 0}, {0, 1, 0, 0, 0}});
  const at::Tensor teacher =
      voxels({{4, 0, 0, 0, 0}, {0, 3, 0, 0, 0}, {0, 1, 0, 0, 0}, {3, 0, 0, 0, 0}});
  const at::Tensor label = at::tensor({0, 1, 1, 2}, at::kByte).view({1, 4, 1, 1});
  ASSERT_EQ(student.sizes(), (at::IntArrayRef{1, 5, 4, 1, 1}));
  const auto targets = losses::class_targets(label, 5, at::kDouble);
  student.requires_grad_();
  const auto found = losses::trusted_distillation(student, teacher, targets, 10);
  const double trust[] = {0.3619498, 1.7232209, 0, 0};
  for (int v = 0; v < 4; ++v) {
    EXPECT_NEAR(found.trust.flatten()[v].item<double>(), trust[v], 1e-7) << v;
  }
  EXPECT_FALSE(found.trust.requires_grad());
  EXPECT_NEAR(found.divergence.flatten()[0].item<double>(), 1.5984372, 1e-7);
  EXPECT_NEAR(found.divergence.flatten()[1].item<double>(), 1.6115618, 1e-7);
  EXPECT_NEAR(losses::trusted_mean(losses::trusted_sums(found), 1e-8).item<double>(), 1.6092836,
              1e-7);
  // A teacher that is nowhere better teaches nothing; published, that is no number.
  const auto equal = losses::trusted_distillation(teacher, teacher, targets, 10);
  EXPECT_EQ(losses::trusted_mean(losses::trusted_sums(equal), 1e-8).item<double>(), 0);
  EXPECT_TRUE(std::isnan(losses::trusted_mean(losses::trusted_sums(equal), 0).item<double>()));
}

// Check 6.
TEST(PmklCard, ContrastOfTheWorkedExample) {
  const auto pair = [](std::vector<double> values) {
    return at::tensor(values, at::kDouble).view({2, 2}).requires_grad_();
  };
  const at::Tensor student = pair({1, 0, 0, 1}), teacher = pair({.6, .8, 0, 1});
  const at::Tensor loss = losses::pair_contrast(student, teacher, 1e-12);
  EXPECT_NEAR(loss.item<double>(), 0.2337722, 1e-7);
  loss.backward();  // d = 0 of the second pair
  EXPECT_TRUE(student.grad().isfinite().all().item<bool>());
  const at::Tensor other = pair({1, 0, 0, 1});
  losses::pair_contrast(other, teacher, 0).backward();
  EXPECT_FALSE(other.grad().isfinite().all().item<bool>());  // published
}

// Check 10: 27 voxels of ones wherever the kernel stands.
TEST(PmklCard, BordersAreMirrored) {
  const torch::NoGradGuard no_grad;
  models::ConvUnit unit(1, 1, 3, {.slope = 1, .norm = models::UnitNorm::kNone}, 2);
  unit.conv->weight.fill_(1);
  const at::Tensor y = unit.forward(at::ones({1, 1, 16, 24, 80}));
  EXPECT_EQ(y.sizes(), (at::IntArrayRef{1, 1, 8, 12, 40}));
  EXPECT_TRUE((y == 27).all().item<bool>());
}

}  // namespace
}  // namespace lacuna::methods::pmkl

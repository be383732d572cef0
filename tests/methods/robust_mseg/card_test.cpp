// The checks of the card, section 10, that need no vectors. Rates are in tests/worker, draws in
// tests/data, windows in tests/evaluation.
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/class_sums.h"
#include "methods/robust_mseg/method.h"

namespace lacuna::methods::robust_mseg {
namespace {

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = {"FLAIR", "T1c", "T1", "T2"};
  return all;
}

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

// Check 1.
TEST(RobustMsegCard, ParametersAreThoseOfTheCode) {
  const Network five(names(), 5, 1, true), four(names(), 4, 1, true);
  EXPECT_EQ(count(five), 37'455'766);
  EXPECT_EQ(count(four), 37'455'749);
  const auto path = [](const Network& network) {
    return count(network, "ce_") + count(network, "att_c") + count(network, "fusion_c") +
           count(network, "mask_de.");
  };
  EXPECT_EQ(path(five), 6'650'309);
  EXPECT_EQ(path(four), 6'650'292);
  const std::map<std::string, std::int64_t> parts = {{"ce_t1c.", 1'467'936},
                                                     {"ce_t1c.e1_c1.", 480},
                                                     {"ce_t1c.e1_c2.", 6'960},
                                                     {"ce_t1c.e2_c1.", 13'920},
                                                     {"ce_t1c.e2_c3.", 27'744},
                                                     {"ce_t1c.e3_c1.", 55'488},
                                                     {"ce_t1c.e3_c2.", 110'784},
                                                     {"ce_t1c.e4_c1.", 221'568},
                                                     {"ce_t1c.e4_c3.", 442'752},
                                                     {"se_t2.", 2'765'000},
                                                     {"se_t2.c_0.", 11'008},
                                                     {"se_t2.c_1.", 131'136},
                                                     {"se_t2.c_2.", 524'416},
                                                     {"se_t2.c_4.", 1'048'704},
                                                     {"se_t2.se_logit.", 1'032},
                                                     {"att_c", 103'728},
                                                     {"att_c1.", 6'924},
                                                     {"att_c4.", 55'308},
                                                     {"fusion_c", 87'760},
                                                     {"fusion_c1.", 1'072},
                                                     {"fusion_c4.", 65'920},
                                                     {"mask_de.", 587'060},
                                                     {"mask_de.d3", 447'040},
                                                     {"mask_de.d2", 111'904},
                                                     {"mask_de.d1", 28'048},
                                                     {"image_de_t1.", 4'934'992},
                                                     {"image_de_t1.mlp.", 50'688},
                                                     {"image_de_t1.res_", 3'539'968},
                                                     {"G_logit", 5'489}};
  for (const auto& [prefix, expected] : parts) EXPECT_EQ(count(four, prefix), expected) << prefix;
  EXPECT_EQ(count(Network(names(), 4, 1, false)), 37'455'749 + 16'467);
}

// Checks 2 and 3, at half of the published extent and with sides that differ: 40, 48, 32.
TEST(RobustMsegCard, ShapesAreThoseOfTheCard) {
  const torch::NoGradGuard no_grad;
  const Network network(names(), 4, 1, true);
  const at::Tensor image = torch::randn({2, 1, 40, 48, 32});
  std::vector<models::GatedShares> shares(4);
  shares[2] = network.shares(image, 2);
  const auto fused = network.fuse(shares, {});
  const std::int64_t channels[] = {16, 32, 64, 128};
  for (std::int64_t level = 0; level < 4; ++level) {
    const auto at = static_cast<std::size_t>(level);
    EXPECT_EQ(fused[at].sizes(),
              (at::IntArrayRef{2, channels[level], 40 >> level, 48 >> level, 32 >> level}));
    EXPECT_EQ(shares[2].gates[at].size(1), 4);
  }
  EXPECT_EQ(network.decode(fused).logits.sizes(), (at::IntArrayRef{2, 4, 40, 48, 32}));
  const auto rebuilt = network.rebuild(fused.back(), image, 1);
  EXPECT_EQ(rebuilt.code.sizes(), (at::IntArrayRef{2, 8}));
  EXPECT_EQ(rebuilt.style.scale.sizes(), (at::IntArrayRef{2, 128}));
  EXPECT_EQ(rebuilt.style.shift.sizes(), (at::IntArrayRef{2, 128}));
  EXPECT_EQ(rebuilt.image.sizes(), (at::IntArrayRef{2, 1, 40, 48, 32}));
  // k4 s2 pad 1: 80 -> 40 -> 20 -> 10 -> 5, also of odd extents as published convolutions count.
  models::ConvUnit half(1, 1, 4, {.slope = 1, .norm = models::UnitNorm::kNone}, 2);
  std::int64_t extent = 80;
  for (const std::int64_t expected : {40, 20, 10, 5, 2}) {
    extent = half.forward(torch::zeros({1, 1, 4, 4, extent})).size(4);
    EXPECT_EQ(extent, expected);
  }
}

std::unique_ptr<Method> made() {
  torch::manual_seed(4);
  MethodSettings settings;
  settings.width = 0.25;
  settings.patch = data::Extent{16, 24, 16};
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  const torch::NoGradGuard no_grad;  // weights that say something
  for (auto& parameter : method->module().parameters()) {
    if (parameter.dim() == 5) parameter.mul_(10);
  }
  return method;
}

Batch batch(std::vector<SubsetMask> subsets) {
  torch::manual_seed(5);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  Batch made;
  made.image = torch::randn({samples, 4, 16, 24, 16});
  made.label = torch::randint(0, 5, {samples, 16, 24, 16}).to(at::kByte);
  made.subsets = {std::move(subsets)};
  return made;
}

double part(const Loss& loss, const std::string& name) {
  return std::map<std::string, at::Tensor>(loss.parts.begin(), loss.parts.end())
      .at(name)
      .item<double>();
}

// Check 4, for each subset: in evaluation and in training.
TEST(RobustMsegCard, ADroppedModalityIsInItsRebuiltImageAlone) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({15}).image, noise = torch::randn_like(image);
  for (SubsetMask subset = 1; subset < 15; ++subset) {
    at::Tensor other = image.clone();
    for (int m = 0; m < 4; ++m) {
      if (!data::contains(subset, m)) other.select(1, m).copy_(noise.select(1, m));
    }
    EXPECT_TRUE(at::equal(method->forward(image, subset), method->forward(other, subset)));
    if (subset % 4 != 1) continue;
    Batch one = batch({subset}), two = one;
    two.image = other;
    const Loss a = method->loss("train", one, {}), b = method->loss("train", two, {});
    EXPECT_TRUE(at::equal(a.output, b.output)) << subset;
    EXPECT_NE(part(a, "reconstruction_l1_sum"), part(b, "reconstruction_l1_sum"));
    EXPECT_NE(part(a, "kl_sum"), part(b, "kl_sum"));
  }
}

// Check 5: scale is published as mu, shift as sigma. Samples and channels have their own.
TEST(RobustMsegCard, AdaptiveNormScalesAndShifts) {
  const at::Tensor x =
      at::tensor({1., 3., 0., 4., 5., 5., 2., 8.}, at::kDouble).view({2, 2, 1, 1, 2});
  const Style style{at::tensor({2., 1., 1., -3.}, at::kDouble).view({2, 2}),
                    at::tensor({5., 2., 7., 0.}, at::kDouble).view({2, 2})};
  const at::Tensor y = adaptive_norm(x, style).flatten();
  const double half = std::sqrt(4 / (4 + 1e-5)), three = std::sqrt(9 / (9 + 1e-5));
  const double expected[] = {5 - 2 / std::sqrt(1 + 1e-5),
                             5 + 2 / std::sqrt(1 + 1e-5),
                             2 - half,
                             2 + half,
                             7,
                             7,
                             3 * three,
                             0};
  EXPECT_NEAR(expected[0], 3.00001, 1e-7);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(y[i].item<double>(), expected[i], 1e-12) << i;
  // With a residual instead of the ReLU.
  const at::Tensor z = adaptive_norm(x, style, x).flatten();
  EXPECT_NEAR(z[7].item<double>(), 8 - 3 * three, 1e-12);
}

TEST(RobustMsegCard, WholeNormLooksAtAllChannelsTogether) {
  WholeNorm norm(2);
  norm.to(at::kDouble);
  const torch::NoGradGuard no_grad;
  norm.named_parameters()["weight"].copy_(at::tensor({1., 2.}, at::kDouble));
  norm.named_parameters()["bias"].copy_(at::tensor({0.5, 0.}, at::kDouble));
  // 1, 2, 3, 6: mean 3, variance 3.5.
  const at::Tensor y =
      norm.forward(at::tensor({1., 2., 3., 6.}, at::kDouble).view({1, 2, 1, 1, 2})).flatten();
  const double expected[] = {0, 0, 0, 2 * 3 / std::sqrt(3.5)};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y[i].item<double>(), expected[i], 1e-10) << i;
}

// Check 7, and a batch: the sums of two samples.
TEST(RobustMsegCard, LossesOfTheWorkedExample) {
  const at::Tensor label = at::tensor({0, 0, 1, 0}, at::kByte).view({1, 1, 2, 2});
  const at::Tensor p = at::full({1, 5, 1, 2, 2}, 0.2, at::kDouble);
  const auto losses =
      losses::class_losses(losses::class_sums(p, losses::class_targets(label, 5, at::kDouble)));
  EXPECT_NEAR(losses.cross_entropy.item<double>(), 0.6035392, 1e-7);
  EXPECT_NEAR(losses.dice.item<double>(), 0.8550851, 1e-7);
  // A second sample of class 0 alone: weights 1 - 7/8 and 1 - 1/8, not a mean over samples.
  const at::Tensor both = at::cat({label, at::zeros_like(label)});
  const auto targets = losses::class_targets(both, 5, at::kDouble);
  const at::Tensor sums = losses::class_sums(p.repeat({2, 1, 1, 1, 1}), targets);
  EXPECT_NEAR(losses::class_losses(sums).cross_entropy.item<double>(),
              (7 * 0.125 + 0.875) / 8 * std::log(5), 1e-12);
  EXPECT_NEAR(losses::class_losses(sums).dice.item<double>(),
              1 - (2 * 1.4 / (0.32 + 7) + 0.4 / (0.32 + 1)) / 5, 1e-7);
  // Left out, it counts for nothing; with none at all nothing is lost.
  const at::Tensor first =
      losses::class_sums(p.repeat({2, 1, 1, 1, 1}), targets, at::tensor({1., 0.}, at::kDouble));
  EXPECT_NEAR(losses::class_losses(first).cross_entropy.item<double>(), 0.6035392, 1e-7);
  const auto none = losses::class_losses(at::zeros({5, 4}, at::kDouble));
  EXPECT_EQ(none.cross_entropy.item<double>(), 0);
  EXPECT_EQ(none.dice.item<double>(), 0);
}

// Check 8.
TEST(RobustMsegCard, TheLogarithmIsCutAtTheCardsProbability) {
  const at::Tensor label = at::zeros({1, 1, 1, 2}, at::kByte);
  at::Tensor p = at::tensor({0.001, 0.5, 0.999, 0.5}, at::kDouble).view({1, 2, 1, 1, 2});
  p.requires_grad_();
  const at::Tensor sums = losses::class_sums(p, losses::class_targets(label, 2, at::kDouble));
  EXPECT_NEAR(sums[0][0].item<double>(), 5.2983174 + std::log(2), 1e-7);
  sums[0][0].backward();
  EXPECT_EQ(p.grad().flatten()[0].item<double>(), 0);
  EXPECT_EQ(p.grad().flatten()[1].item<double>(), -2);
}

// Check 9.
TEST(RobustMsegCard, DivergencesOfTheWorkedExamples) {
  const auto kl = [](double scale, double shift, double epsilon = 1e-12) {
    return style_divergence(
               {at::full({1, 128}, scale, at::kDouble), at::full({1, 128}, shift, at::kDouble)},
               epsilon)
        .item<double>();
  };
  EXPECT_NEAR(kl(1, 2), 167.27716, 1e-5);
  EXPECT_NEAR(kl(0, 1), 0, 1e-9);
  EXPECT_NEAR(kl(0, -1), 0, 1e-9);
  EXPECT_TRUE(std::isfinite(kl(0, 0)));
  EXPECT_FALSE(std::isfinite(kl(0, 0, 0)));  // published
}

// Check 10, as the schedule is stated; its values are in tests/worker/state/schedule_test.cpp.
TEST(RobustMsegCard, StatesItsRun) {
  const auto method = made();
  const Stage stage = method->stages(90'000).at(0);
  EXPECT_EQ(stage.subsets, (Json{{"policy", "coins"}, {"granularity", "sample"}}));
  const Phase& phase = stage.phases.at(0);
  EXPECT_TRUE(phase.joint);
  ASSERT_EQ(phase.trains.size(), 2u);
  for (const TrainedGroup& group : phase.trains) {
    EXPECT_EQ(group.optimizer.learning_rate, 1e-4);
    EXPECT_EQ(group.optimizer.weight_decay, group.group == "plain" ? 0 : 1e-4);
    EXPECT_EQ(group.schedule.kind, ScheduleSpec::Kind::kPoly);
    EXPECT_EQ(group.schedule.power, 0.9);
    EXPECT_EQ(group.schedule.horizon, 90'000);
    EXPECT_EQ(group.schedule.granularity, 300);
  }
  std::size_t stated = 0;
  for (const ParameterGroup& group : method->groups()) {
    stated += group.parameters.size();
    for (const std::string& name : group.parameters) {
      const bool kernel = name.ends_with(".weight") && name.find("norm") == std::string::npos;
      const bool undecayed =
          name.starts_with("att_c") || name.starts_with("fusion_c") || name.starts_with("G_logit");
      EXPECT_EQ(group.name == "decayed_kernels", kernel && !undecayed) << name;
    }
  }
  EXPECT_EQ(stated, method->module().named_parameters().size());
}

}  // namespace
}  // namespace lacuna::methods::robust_mseg

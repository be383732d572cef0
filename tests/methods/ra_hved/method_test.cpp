// The checks of RA-HVED's card, section 10, and what a loss owes to incomplete cases. Rates are in
// tests/worker, draws in tests/data. The published network's numbers: parity_test.cpp.
#include "methods/ra_hved/method.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/exchange/comparison.h"

namespace lacuna::methods::ra_hved {
namespace {

constexpr SubsetMask kT1c = 0b0100, kT1T1c = 0b0110;  // FLAIR, T1, T1c, T2

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.125,
                             data::Extent patch = {32, 32, 48}) {
  MethodSettings settings;
  settings.width = width;
  settings.patch = patch;
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  torch::manual_seed(1);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

Batch random_batch(std::vector<SubsetMask> subsets) {
  Batch batch;
  torch::manual_seed(2);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  batch.image = torch::rand({samples, 4, 32, 32, 48});
  batch.label = torch::randint(0, 5, {samples, 32, 32, 48}, at::kByte);
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(static_cast<std::uint64_t>(40 + n));
  }
  batch.subsets = {std::move(subsets)};
  return batch;
}

double part(const Loss& loss, const std::string& name) {
  return std::map<std::string, at::Tensor>(loss.parts.begin(), loss.parts.end())
      .at(name)
      .item<double>();
}

std::int64_t parameters(const Method& method, const std::string& prefix) {
  std::int64_t total = 0;
  for (const auto& item : const_cast<Method&>(method).module().named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

TEST(RaHvedCard, HasThePublishedNumberOfParameters) {  // check 1
  const auto method = make({}, 1);
  EXPECT_EQ(parameters(*method, "model."), 5915285);
  EXPECT_EQ(parameters(*method, "model.rdecoder."), 2323396);
  EXPECT_EQ(parameters(*method, "disc."), 11072448);
  EXPECT_EQ(parameters(*method, "model.init_blocks.0."), 32);
  const std::int64_t encoders[] = {13856, 20784, 83040, 331968},
                     reductions[] = {3464, 13840, 55328, 221248};
  for (int l = 0; l < 4; ++l) {
    const std::string own = std::to_string(l) + ".2.";
    EXPECT_EQ(parameters(*method, "model.encoders." + own), encoders[l]);
    EXPECT_EQ(parameters(*method, "model.DRBs." + own), reductions[l]);
  }
  EXPECT_EQ(parameters(*method, "model.VU_blocks."), 5440);
  EXPECT_EQ(parameters(*method, "model.conv_blocks."), 6480);
  EXPECT_EQ(parameters(*method, "model.decoders.1.atten_module."), 8282);
  EXPECT_EQ(parameters(*method, "model.decoders.0.basic_module."), 442496);
  EXPECT_EQ(parameters(*method, "model.final_conv."), 51);
  EXPECT_EQ(parameters(*make({}, 0.5), "model."), 1499909);
}

TEST(RaHvedCard, ShapesOfTheNetworks) {  // check 2, at 48 in place of 112
  const torch::NoGradGuard no_grad;
  Network network(4, 0.25);
  const auto raw = network.encode(torch::zeros({2, 4, 48, 32, 64}), 0, {});
  EXPECT_EQ(raw[0][3].sizes().vec(), (std::vector<std::int64_t>{2, 2, 24, 16, 32}));
  EXPECT_EQ(raw[3][0].sizes().vec(), (std::vector<std::int64_t>{2, 16, 3, 2, 4}));
  const Discriminator judge(7, 0.03125);
  EXPECT_EQ(judge.forward(torch::zeros({1, 7, 112, 112, 112})).sizes().vec(),
            (std::vector<std::int64_t>{1, 1, 12, 12, 12}));
}

TEST(RaHvedCard, ProductsOfTheWorkedExamples) {  // check 3
  const ExpertRule rule{1e-8, 1 / (1 + 1e-8), 0};
  const Experts one({at::tensor({1., 0.}, at::kDouble).view({1, 2, 1, 1, 1})}, rule);
  const auto with = one.product(at::ones({1, 1}, at::kDouble));
  EXPECT_NEAR(with.mean.item<double>(), 0.5, 1e-8);
  EXPECT_NEAR(with.log_variance.exp().item<double>(), 0.5, 1e-8);
  EXPECT_NEAR(losses::gaussian_kl_to_prior(with, 1e-8).item<double>(), 0.2215736, 1e-7);
  const auto without = one.product(at::zeros({1, 1}, at::kDouble));
  EXPECT_EQ(without.mean.item<double>(), 0);
  EXPECT_NEAR(without.log_variance.item<double>(), 0, 2e-8);
  EXPECT_NEAR(losses::gaussian_kl_to_prior(without, 1e-8).item<double>(), 0, 1e-8);
}

TEST(RaHvedCard, GatesWithoutWeightsAreOneHalf) {  // check 4
  const AttentiveSkip skips;
  const at::Tensor x = torch::randn({2, 5, 4, 3, 6}), f = torch::randn({2, 3, 4, 3, 6});
  const auto [decoder, skip] = skips.forward(x, f);
  EXPECT_TRUE(torch::equal(decoder, 1.5 * x));
  EXPECT_TRUE(torch::equal(skip, 1.5 * f));
}

TEST(RaHvedCard, PoolsMaximumThenMean) {  // check 5
  const at::Tensor pooled = channel_pool(at::tensor({1., 5., 3.}).view({1, 3, 1, 1, 1}));
  EXPECT_TRUE(torch::equal(pooled.flatten(), at::tensor({5., 3.})));
}

TEST(RaHvedCard, DiceOfTheWorkedExamples) {  // check 6
  const at::Tensor p = at::full({1, 3, 2, 2, 2}, 0.5, at::kDouble);
  at::Tensor y = at::zeros({1, 3, 2, 2, 2}, at::kDouble);
  y.narrow(2, 0, 1).narrow(3, 0, 1).fill_(1);
  EXPECT_NEAR(dice_loss(dice_sums(p, y)).item<double>(), 0.5, 1e-12);
  const at::Tensor nothing = at::zeros_like(p);
  EXPECT_EQ(dice_loss(dice_sums(nothing, nothing)).item<double>(), 1);
}

TEST(RaHvedCard, WeightOfTheInnermostRegion) {  // check 7
  const double worked[][4] = {{0.9, 0.4, 0.2, 0.9},
                              {0.9, 0.7, 0.2, 0.7},
                              {0.9, 0.7, 0.6, 0.6},
                              {0.4, 0.3, 0.8, 0.8},
                              {0.4, 0.3, 0.2, 0}};
  for (const auto& [wt, tc, et, weight] : worked) {
    const at::Tensor p = at::tensor({wt, tc, et}, at::kDouble).view({1, 3, 1, 1, 1});
    EXPECT_EQ(region_weight(p).item<double>(), weight);
  }
  EXPECT_FALSE(region_weight(torch::rand({1, 3, 2, 2, 2}).requires_grad_()).requires_grad());
}

TEST(RaHvedCard, AdversarialTermsOfAConstantJudgement) {  // check 8
  for (const auto& [judgement, generator, judge] :
       {std::array{0., 0.1, 0.05}, std::array{0.5, 0.025, 0.025}}) {
    const at::Tensor map = at::full({1, 1, 2, 3, 4}, judgement, at::kDouble);
    EXPECT_NEAR(0.1 * judged_error(map, 1).item<double>(), generator, 1e-12);
    EXPECT_NEAR(0.1 * (judged_error(map, 0) + judged_error(map, 1)).item<double>() / 2, judge,
                1e-12);
  }
  const auto method = make();
  const torch::NoGradGuard no_grad;
  method->module().named_parameters()["disc.last.weight"].zero_();
  const Batch batch = random_batch({kT1c});
  EXPECT_EQ(part(method->loss("generator", batch, {}), "adversarial"), 1);
  EXPECT_NEAR(method->loss("discriminator", batch, {}).total.item<double>(), 0.05, 1e-9);
}

// Checks 9 and 11.
TEST(RaHvedCard, EvaluationIsRepeatableAndBlindToWhatIsAbsent) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  Batch batch = random_batch({kT1T1c});
  const at::Tensor before = method->forward(batch.image, kT1T1c);
  EXPECT_TRUE(torch::equal(before, method->forward(batch.image, kT1T1c)));
  const at::Tensor drawn = method->loss("generator", batch, {}).output;
  Batch other = batch;
  other.sample_index = {41};
  EXPECT_FALSE(torch::equal(drawn, method->loss("generator", other, {}).output));
  batch.image.select(1, 0).square_();
  batch.image.select(1, 3).square_();
  EXPECT_TRUE(torch::equal(before, method->forward(batch.image, kT1T1c)));
}

TEST(RaHvedMethod, EncodingOnceEqualsFifteenPasses) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const auto subsets = data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}).subsets();
  const at::Tensor image = torch::rand({2, 4, 32, 16, 48});
  const at::Tensor together = method->decode(method->encode(image), subsets);
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    EXPECT_TRUE(
        torch::equal(together[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])));
  }
}

TEST(RaHvedMethod, WhatACaseLacksIsInNoTerm) {
  const auto method = make();
  Batch batch = random_batch({kT1c, kT1T1c});
  batch.available = {kT1T1c, kT1T1c};
  const Loss before = method->loss("generator", batch, {});
  batch.image.select(1, 0).square_();
  batch.image.select(1, 3).square_();
  const Loss after = method->loss("generator", batch, {});
  EXPECT_EQ(before.total.item<double>(), after.total.item<double>());
  batch.available = {};
  EXPECT_NE(method->loss("generator", batch, {}).total.item<double>(), after.total.item<double>());
}

TEST(RaHvedMethod, SamplesOfABatchHaveSubsetsAndNoiseOfTheirOwn) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const Batch both = random_batch({kT1c, kT1T1c});
  const at::Tensor together = method->loss("generator", both, {}).output;
  for (std::int64_t n = 0; n < 2; ++n) {
    const auto at = static_cast<std::size_t>(n);
    Batch one = both;
    one.image = both.image.narrow(0, n, 1);
    one.label = both.label.narrow(0, n, 1);
    one.subsets = {{both.subsets[0][at]}};
    one.sample_index = {both.sample_index[at]};
    EXPECT_TRUE(torch::allclose(together.narrow(0, n, 1), method->loss("generator", one, {}).output,
                                1e-4, 1e-4));
  }
}

// The discriminator sees what the generator's phase made, not what it would make after its step.
TEST(RaHvedMethod, TheDiscriminatorSeesTheGeneratorBeforeItsStep) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const Batch batch = random_batch({kT1c});
  const double alone = method->loss("discriminator", batch, {}).total.item<double>();
  method->loss("generator", batch, {});
  method->module().named_parameters()["model.final_conv.bias"].add_(1);
  EXPECT_EQ(method->loss("discriminator", batch, {}).total.item<double>(), alone);
  EXPECT_NE(method->loss("discriminator", batch, {}).total.item<double>(), alone);
}

TEST(RaHvedMethod, BiasesStartAsAsked) {
  const auto bias = [](const Json& options) {
    return make(options)->module().named_parameters()["model.final_conv.bias"].abs().sum();
  };
  EXPECT_EQ(bias({}).item<double>(), 0);
  EXPECT_GT(bias({{"official", true}}).item<double>(), 0);
  EXPECT_EQ(bias({{"official", true}, {"random_biases", false}}).item<double>(), 0);
}

TEST(RaHvedMethod, PatchesThatTheDiscriminatorCannotTakeAreRefused) {
  EXPECT_THROW(make({}, 0.125, {16, 32, 32}), ConfigError);
  EXPECT_THROW(make({}, 0.125, {40, 32, 32}), ConfigError);
}

}  // namespace
}  // namespace lacuna::methods::ra_hved

// The checks of U-HVED's card, section 10, that are not rates (tests/worker), draws (tests/data) or
// U-HeMIS's as well. The published network's numbers: parity_test.cpp.
#include "methods/u_hved/method.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/exchange/comparison.h"

namespace lacuna::methods::u_hved {
namespace {

using losses::Gaussian;

constexpr SubsetMask kT1c = 0b0100, kT1T1c = 0b0110;

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 1) {
  MethodSettings settings;
  settings.width = width;
  settings.patch = data::Extent{12, 9, 16};
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
  batch.image = torch::rand({samples, 4, 12, 9, 16});
  batch.label = torch::randint(0, 5, {samples, 12, 9, 16}, at::kByte);
  for (std::int64_t n = 0; n < samples; ++n) {
    batch.sample_index.push_back(static_cast<std::uint64_t>(40 + n));
  }
  batch.subsets = {std::move(subsets)};
  return batch;
}

// Of one voxel and channel: mean and log variance.
at::Tensor expert(double mean, double log_variance) {
  return at::tensor({mean, log_variance}, at::kDouble).view({1, 2, 1, 1, 1});
}

double part(const Loss& loss, const std::string& name) {
  return std::map<std::string, at::Tensor>(loss.parts.begin(), loss.parts.end())
      .at(name)
      .item<double>();
}

TEST(UHvedCard, HasThePublishedNumberOfParameters) {  // check 1
  const auto method = make();
  std::int64_t total = 0, encoder = 0, kernels = 0;
  for (const auto& item : method->module().named_parameters()) {
    total += item.value().numel();
    if (item.key().starts_with("t2_encoder.")) encoder += item.value().numel();
    kernels += item.value().dim() > 1;
  }
  EXPECT_EQ(total, 1250552);
  EXPECT_EQ(encoder, 221560);
  EXPECT_EQ(kernels, 71);
}

TEST(UHvedCard, ProductsOfTheWorkedExamples) {  // check 3
  const Experts one({expert(1, 0), expert(77, 0)});
  EXPECT_NEAR(one.product(0b01).mean.item<double>(), 0.49999998, 1e-8);
  EXPECT_NEAR(one.product(0b01).log_variance.exp().item<double>(), 0.5, 2e-7);
  const Experts two({expert(1, 0), expert(3, std::log(4))});
  EXPECT_NEAR(two.product(0b11).mean.item<double>(), 0.7777778, 1e-7);
  EXPECT_NEAR(two.product(0b11).log_variance.exp().item<double>(), 0.4444444, 2e-7);
}

TEST(UHvedCard, DivergencesOfTheWorkedExamples) {  // check 4
  const auto gaussian = [](double mean, double variance) {
    return Gaussian{at::tensor({mean}, at::kDouble), at::tensor({std::log(variance)}, at::kDouble)};
  };
  EXPECT_NEAR(losses::gaussian_kl_to_prior(gaussian(0.5, 0.5)).item<double>(), 0.2215736, 1e-6);
  EXPECT_NEAR(losses::gaussian_kl(gaussian(0.3, 0.2), gaussian(0.3, 0.2)).item<double>(), 0, 1e-6);
  const Experts equal({expert(0, 0), expert(0, 0), expert(0, 0), expert(0, 0)});
  double mean = 0;
  for (SubsetMask s = 1; s < 16; ++s) {
    mean += losses::gaussian_kl_to_prior(equal.product(s)).item<double>() / 15;
  }
  EXPECT_NEAR(mean, 0.2239626, 1e-6);
}

TEST(UHvedCard, ExtremeVariancesAreClipped) {  // check 6
  const Experts experts({expert(1, 60), expert(1, -60)});
  EXPECT_NEAR(experts.precision()[0].item<double>() * std::exp(50), 1, 1e-9);
  EXPECT_NEAR(experts.precision()[1].item<double>(), 1e7, 1e-2);
}

// Check 5, and the noise is the sample's own.
TEST(UHvedCard, AnAbsentModalityChangesImagesAndDivergenceOnly) {
  const auto method = make({}, 0.5);
  Batch batch = random_batch({kT1T1c});
  const Loss before = method->loss("train", batch, {});
  batch.image.select(1, 3).square_();
  const Loss after = method->loss("train", batch, {});
  EXPECT_TRUE(torch::equal(before.output, after.output));
  EXPECT_NE(part(before, "images"), part(after, "images"));
  EXPECT_NE(part(before, "kl_prior"), part(after, "kl_prior"));
  batch.sample_index = {41};
  EXPECT_FALSE(torch::equal(method->loss("train", batch, {}).output, after.output));
}

TEST(UHvedMethod, WhatACaseLacksIsNoExpertAndNotRebuilt) {
  const auto method = make({}, 0.5);
  Batch batch = random_batch({kT1c});
  batch.available = {kT1T1c};
  const Loss before = method->loss("train", batch, {});
  batch.image.select(1, 0).square_();
  batch.image.select(1, 3).square_();
  const Loss after = method->loss("train", batch, {});
  EXPECT_EQ(before.total.item<double>(), after.total.item<double>());
  batch.available = {0b1111};
  EXPECT_NE(method->loss("train", batch, {}).total.item<double>(), after.total.item<double>());
}

TEST(UHvedMethod, EncodingOnceEqualsFifteenPasses) {
  const torch::NoGradGuard no_grad;
  const auto subsets = data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}).subsets();
  const at::Tensor image = torch::rand({2, 4, 12, 9, 16});
  for (const bool sample : {false, true}) {
    const auto method = make({{"sample", sample}}, 0.5);
    const at::Tensor together = method->decode(method->encode(image), subsets);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      EXPECT_TRUE(
          torch::equal(together[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])));
    }
  }
}

TEST(UHvedMethod, ABatchIsTheMeanOfItsSamples) {
  const auto method = make({}, 0.5);
  const Batch both = random_batch({kT1c, kT1T1c});
  const double whole = method->loss("train", both, {}).total.item<double>();
  double mean = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    Batch one = both;
    one.image = both.image.narrow(0, n, 1);
    one.label = both.label.narrow(0, n, 1);
    one.subsets = {{both.subsets[0][static_cast<std::size_t>(n)]}};
    one.sample_index = {both.sample_index[static_cast<std::size_t>(n)]};
    mean += method->loss("train", one, {}).total.item<double>() / 2;
  }
  EXPECT_NEAR(whole, mean, 1e-5 * mean);
}

TEST(UHvedMethod, EveryParameterHasAGradientWhateverIsMissing) {
  const auto method = make({}, 0.5);
  const Comparison compared = compare_phase(*method, "train", random_batch({kT1c}), {});
  for (const auto& [name, norm] : compared.gradients) {
    EXPECT_TRUE(norm.has_value()) << name;
  }
}

}  // namespace
}  // namespace lacuna::methods::u_hved

// Robust-MSeg as the rest of Lacuna uses it: evaluation, batches, cases that lack a modality, data,
// start, refusals.
#include "methods/robust_mseg/method.h"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"

namespace lacuna::methods::robust_mseg {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<methods::Method> made(const Json& options = Json::object(),
                                      std::vector<std::string> modalities = {"FLAIR", "T1", "T1c",
                                                                             "T2"}) {
  torch::manual_seed(4);
  auto method = make_method("robust-mseg", data::ModalitySet(std::move(modalities)), 0.125, options,
                            data::Extent{16, 24, 32});
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
  made.image = torch::randn({samples, 4, 16, 24, 32}, at::kDouble);
  made.label = torch::randint(0, 5, {samples, 16, 24, 32}).to(at::kByte);
  made.subsets = {std::move(subsets)};
  return made;
}

TEST(RobustMsegMethod, EncodesOnceForAllSubsets) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({0, 0}).image.to(at::kFloat);
  std::vector<SubsetMask> subsets(15);
  std::iota(subsets.begin(), subsets.end(), 1);
  const at::Tensor once = method->decode(method->encode(image), subsets);
  ASSERT_EQ(once.sizes(), (at::IntArrayRef{15, 2, 4, 16, 24, 32}));
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    EXPECT_TRUE(at::equal(once[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])));
  }
}

// One subset per sample, and a style per sample.
TEST(RobustMsegMethod, SubsetsBelongToSamples) {
  const auto method = made();
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  const Batch both = batch({0b0110, 0b1000});
  const Loss loss = method->loss("train", both, {});
  double images = 0, divergence = 0;
  for (const std::int64_t n : {0, 1}) {
    Batch one;
    one.image = both.image.narrow(0, n, 1);
    one.label = both.label.narrow(0, n, 1);
    one.subsets = {{both.subsets[0][static_cast<std::size_t>(n)]}};
    const at::Tensor alone = method->forward(one.image, one.subsets[0][0]);
    EXPECT_LT((loss.output.narrow(0, n, 1) - alone).abs().max().item<double>(), 1e-11);
    const Loss own = method->loss("train", one, {});
    images += own.parts[2].second.item<double>() / 2;
    divergence += own.parts[3].second.item<double>() / 2;
  }
  EXPECT_NEAR(loss.parts[2].second.item<double>(), images, 1e-10 * images);
  EXPECT_NEAR(loss.parts[3].second.item<double>(), divergence, 1e-10 * divergence);
}

TEST(RobustMsegMethod, TakesModalitiesInTheCohortsOrder) {
  const auto one = made(), other = made(Json::object(), {"T2", "FLAIR", "T1c", "T1"});
  EXPECT_THAT(one->published_channels(), ::testing::ElementsAre(0, 2, 1, 3));
  const torch::NoGradGuard no_grad;
  const at::Tensor published = batch({0}).image.to(at::kFloat);
  EXPECT_TRUE(at::equal(one->forward(from_published_channels(*one, published), 0b0101),
                        other->forward(from_published_channels(*other, published), 0b0110)));
}

// Of the second sample's case there is no T2: nothing of that place counts.
TEST(RobustMsegMethod, WhatACaseLacksIsNeitherRebuiltNorHasAStyle) {
  const auto method = made();
  method->module().to(at::kDouble);
  Batch given = batch({0b1111, 0b0111});
  const double all = method->loss("train", given, {}).total.item<double>();
  given.available = {0b1111, 0b0111};
  const auto gradient = [&] {
    method->module().zero_grad();
    const Loss loss = method->loss("train", given, {});
    loss.total.backward();
    return std::pair(loss.total.item<double>(),
                     method->module().named_parameters()["se_t2.c_0.conv.weight"].grad().clone());
  };
  const auto before = gradient();
  EXPECT_GT(std::abs(before.first - all), 1e-3);
  given.image[1][3].normal_();
  const auto after = gradient();
  EXPECT_DOUBLE_EQ(before.first, after.first);
  EXPECT_LT((before.second - after.second).abs().max().item<double>(), 1e-12);
}

TEST(RobustMsegMethod, EveryParameterHasAGradientWhateverIsMissing) {
  const auto method = made();
  method->module().to(at::kDouble);
  const Comparison compared = compare_phase(*method, "train", batch({0b0100}), {});
  for (const auto& [name, norm] : compared.gradients) {
    ASSERT_TRUE(norm.has_value()) << name;
    EXPECT_TRUE(std::isfinite(*norm)) << name;
  }
}

// Sums of two ranks that hold a sample each: the losses of the batch.
TEST(RobustMsegMethod, ABatchOverRanksIsTheBatch) {
  const auto method = made();
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  const Batch both = batch({0b0110, 0b1000});
  const Loss whole = method->loss("train", both, {});
  Batch one;
  one.image = both.image.narrow(0, 0, 1);
  one.label = both.label.narrow(0, 0, 1);
  one.subsets = {{0b0110}};
  Batch rest;
  rest.image = both.image.narrow(0, 1, 1);
  rest.label = both.label.narrow(0, 1, 1);
  rest.subsets = {{0b1000}};
  at::Tensor others;
  rest.over_ranks = [&](const at::Tensor& own) { return others = own; };
  method->loss("train", rest, {});
  one.over_ranks = [&](const at::Tensor& own) { return own + others; };
  const Loss part = method->loss("train", one, {});
  for (const std::size_t i : {0, 1}) {
    EXPECT_NEAR(part.parts[i].second.item<double>(), whole.parts[i].second.item<double>(), 1e-12);
  }
  const auto local = made({{"local_sums", true}});
  EXPECT_FALSE(local->stages(10)[0].phases[0].joint);
}

TEST(RobustMsegMethod, StatesItsData) {
  const auto method = made();
  const data::DataRecipe recipe = method->recipe();
  EXPECT_EQ(recipe.axes, (data::Axes{1, 2, 0}));
  EXPECT_EQ(recipe.normalisation, data::Normalisation::kTrimmedZScore);
  EXPECT_EQ(recipe.background, data::Background::kNormalised);
  EXPECT_TRUE(recipe.crop.inside_box);
  EXPECT_EQ(recipe.augmentation.mirror_probability, data::AugmentationRecipe().mirror_probability);
  const InferenceRecipe inference = method->inference();
  EXPECT_EQ(inference.activation, InferenceRecipe::Activation::kSoftmax);
  EXPECT_EQ(inference.overlap, 0.5);
  EXPECT_EQ(inference.channels.size(), 4u);
  const auto five = made({{"resection", "class"}});
  EXPECT_EQ(five->inference().channels.at(4).tissue, data::Tissue::kResection);
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(five->forward(batch({0}).image.to(at::kFloat), 3).size(1), 5);
}

// Kernels of convolutions: truncated at two deviations of 0.01; dense ones sqrt(2.6 / fan_in).
TEST(RobustMsegMethod, BeginsAsThePublishedCode) {
  for (const bool official : {false, true}) {
    torch::manual_seed(1);
    const auto method = make_method("robust-mseg", data::ModalitySet({"FLAIR", "T1c", "T1", "T2"}),
                                    1, {{"official", official}});
    method->initialise();
    const auto named = method->module().named_parameters();
    const at::Tensor kernel = named["ce_t1.e4_c2.conv.weight"];
    EXPECT_LE(kernel.abs().max().item<double>(), 0.02 + 1e-6);
    EXPECT_NEAR(kernel.std().item<double>(), 0.01 * 0.8796, 1e-4);  // of a normal cut at 2
    const at::Tensor dense = named["image_de_t1.mlp.mu.linear.weight"];
    EXPECT_NEAR(dense.std().item<double>(), std::sqrt(2.6 / 128) * 0.8796, 2e-3);
    EXPECT_EQ(named["image_de_t1.mlp.mu.linear.bias"].abs().max().item<double>(), 0);
    EXPECT_EQ(named["ce_t1.e4_c2.normalize.weight"].min().item<double>(), 1);
    const double bias = named["ce_t1.e4_c2.conv.bias"].abs().max().item<double>();
    if (official) {
      EXPECT_LE(bias, std::sqrt(3.0 / 128));
      EXPECT_GT(bias, 0.9 * std::sqrt(3.0 / 128));
    } else {
      EXPECT_EQ(bias, 0);
    }
  }
}

TEST(RobustMsegMethod, WeightsComeBackUnderThePublishedNames) {
  const TemporaryDirectory folder;
  const auto one = made();
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& item : one->module().named_parameters()) {
    tensors.emplace_back(item.key(), item.value());
  }
  write_tensors(folder / "w.safetensors", tensors);
  const auto other = made();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : other->module().parameters()) parameter.zero_();
  EXPECT_EQ(import_weights(*other, folder / "w.safetensors").loaded, 456);
  const at::Tensor image = batch({0}).image.to(at::kFloat);
  EXPECT_TRUE(at::equal(one->forward(image, 7), other->forward(image, 7)));
}

TEST(RobustMsegMethod, RefusesWhatItsBordersCannotMirror) {
  const auto refusal = [](data::Extent patch) {
    try {
      make_method("robust-mseg", data::ModalitySet({"FLAIR", "T1"}), 0.1, Json::object(), patch);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({80, 84, 80}), HasSubstr("80 or 88"));
  EXPECT_THAT(refusal({8, 80, 80}), HasSubstr("nearest for D: 16"));
  EXPECT_EQ(refusal({24, 16, 40}), "");
}

}  // namespace
}  // namespace lacuna::methods::robust_mseg

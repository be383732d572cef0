// The checks of U-Net-MFI's card, section 10, and what the method promises. The published code's
// numbers: parity_test.cpp.
#include "methods/u_net_mfi/method.h"

#include <cmath>
#include <map>
#include <memory>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/exchange/comparison.h"

namespace lacuna::methods::u_net_mfi {
namespace {

constexpr SubsetMask kAll = 0b1111, kFlair = 0b0001, kT1T2 = 0b1010;

std::unique_ptr<Method> make(const Json& options = Json::object(), double width = 0.25) {
  MethodSettings settings;
  settings.width = width;
  settings.patch = data::Extent{16, 8, 24};
  settings.options =
      Schema(binding().declared()).resolve(options.is_null() ? Json::object() : options, "test");
  torch::manual_seed(1);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

std::int64_t count(const torch::nn::Module& module, const std::string& with = "",
                   const std::string& and_with = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().find(with) != std::string::npos &&
        item.key().find(and_with) != std::string::npos) {
      total += item.value().numel();
    }
  }
  return total;
}

// Check 1.
TEST(UNetMfiCard, HasThePublishedNumberOfActiveParameters) {
  const auto method = make({}, 1);
  auto& module = method->module();
  EXPECT_EQ(count(module), 30918521);
  EXPECT_EQ(count(module, "diff"), 4267520 / 4);  // one of four relations runs
  EXPECT_EQ(count(module, "init_conv_2") + count(module, "en", "_2.conv") +
                count(module, "ed", "_2.conv"),
            5865600);
  EXPECT_EQ(count(module, "ud", "_3.conv") + count(module, "un", "_3.conv"), 1593312);
  EXPECT_EQ(count(module, "cat_out_conv"), 39);
  EXPECT_EQ(count(module, "stage1Out"), 10371);
  EXPECT_EQ(count(module, "stage2Out"), 5187);
}

// Check 2.
TEST(UNetMfiCard, ThirteenOutputsAtFullResolution) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const Outputs out = method->run(torch::rand({2, 4, 16, 8, 24}), torch::ones({2, 4}), true);
  ASSERT_EQ(out.quarter.size() + out.half.size() + out.branches.size() + 1, 13u);
  for (const auto& list : {out.quarter, out.half, out.branches, {out.combined}}) {
    for (const at::Tensor& logits : list) {
      EXPECT_EQ(logits.sizes(), (at::IntArrayRef{2, 3, 16, 8, 24}));
    }
  }
  MethodSettings settings;
  settings.patch = data::Extent{16, 12, 24};
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  EXPECT_THROW(Method{settings}, ConfigError);
}

// Check 3.
TEST(UNetMfiCard, AnInteractionWithoutWeightsAddsTheMean) {
  const torch::NoGradGuard no_grad;
  Interaction block(8);  // its weights are 0 until they are drawn
  std::vector<at::Tensor> features;
  for (int m = 0; m < 4; ++m) features.push_back(torch::rand({2, 8, 3, 4, 5}));
  const at::Tensor there = torch::ones({2, 4});
  const auto made = block.forward(features, there);
  const at::Tensor mean = (features[0] + features[1] + features[2] + features[3]) / 4;
  for (std::size_t m = 0; m < 4; ++m) {
    EXPECT_TRUE(at::allclose(made[m], features[m] + mean, 1e-6, 1e-6));
  }
  for (auto& parameter : block.parameters()) parameter.normal_();
  for (const at::Tensor& same : block.forward({4, features[0]}, there)) {
    EXPECT_TRUE(at::allclose(same, 2 * features[0], 1e-5, 1e-6));
  }
}

// Check 4: two of eight voxels, logits 0.
TEST(UNetMfiCard, LossOfUndecidedOutputs) {
  const auto method = make();
  {
    const torch::NoGradGuard no_grad;
    for (auto& item : method->module().named_parameters()) {
      for (const char* head : {"out_conv", "cat_out_conv", "stage1Out", "stage2Out"}) {
        if (item.key().starts_with(head)) item.value().zero_();
      }
    }
  }
  Batch batch;
  batch.image = torch::rand({1, 4, 8, 8, 8});
  batch.label = torch::zeros({1, 8, 8, 8}, at::kByte);
  batch.label.slice(1, 0, 2).fill_(static_cast<int>(data::Tissue::kEnhancing));  // a quarter
  batch.subsets = {{kAll}};
  const Loss loss = method->loss("train", batch, {});
  const double n = 512, part = 1 - (n / 4 + 1e-5) / (n / 2 + n / 4 + 1e-5) + 0.5 * std::log(2);
  ASSERT_EQ(loss.parts.size(), 13u);
  for (const auto& [name, value] : loss.parts)
    EXPECT_NEAR(value.item<double>(), part, 1e-6) << name;
  EXPECT_NEAR(loss.total.item<double>(), 13 * part, 1e-5);
  EXPECT_NEAR(1 - 2.00001 / 6.00001 + 0.5 * std::log(2), 1.0132391, 1e-6);
}

// Checks 5 and 6.
TEST(UNetMfiCard, RateAndSubsets) {
  const Stage stage = make()->stages(1200).at(0);
  const auto& trained = stage.phases.at(0).trains.at(0);
  EXPECT_EQ(trained.optimizer.learning_rate, 5e-5);
  EXPECT_EQ(trained.optimizer.weight_decay, 1e-5);
  EXPECT_EQ(trained.schedule.horizon, 1200);
  EXPECT_TRUE(trained.schedule.per_epoch);
  EXPECT_NEAR(5e-5 * std::pow(0.5, trained.schedule.power), 2.6794337e-5, 1e-12);
  EXPECT_EQ(stage.subsets.at("policy"), "uniform");
  EXPECT_EQ(stage.subsets.at("granularity"), "sample");
  EXPECT_TRUE(stage.phases.at(0).joint);
  EXPECT_FALSE(make({{"local_dice", true}})->stages(10).at(0).phases.at(0).joint);
}

// Check 7, with the published window.
TEST(UNetMfiCard, WindowsEveryFortyVoxels) {
  MethodSettings settings;
  settings.width = 0.25;
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  const InferenceRecipe recipe = Method(settings).inference();
  EXPECT_EQ(recipe.patch, (data::Extent{120, 120, 120}));
  EXPECT_EQ(std::ceil((1 - recipe.overlap) * 120 - 1e-9), 40);  // 0, 40, 80, 120 of 240
  EXPECT_FALSE(recipe.blend_probabilities);
  EXPECT_TRUE(recipe.relabelled.empty());
  settings.options = Schema(binding().declared()).resolve({{"official", true}}, "test");
  EXPECT_EQ(Method(settings).inference().relabelled.at(0).minimum, 101);
}

// Check 8.
TEST(UNetMfiCard, AnAbsentImageDoesNotMatterAndTheCodeDoes) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  at::Tensor image = torch::rand({1, 4, 8, 8, 8});
  const at::Tensor before = method->forward(image, kT1T2);
  image.select(1, 0).fill_(NAN);
  EXPECT_TRUE(at::equal(method->forward(image, kT1T2), before));
  const at::Tensor zeros = torch::zeros({1, 4, 8, 8, 8});
  EXPECT_FALSE(at::equal(method->forward(zeros, kT1T2), method->forward(zeros, kFlair)));
}

TEST(UNetMfiMethod, EncodeOnceEqualsForward) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const at::Tensor image = torch::rand({2, 4, 8, 16, 8});
  const std::vector<SubsetMask> subsets = {kFlair, kT1T2, kAll};
  const at::Tensor all = method->decode(method->encode(image), subsets);
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    EXPECT_TRUE(at::allclose(all[static_cast<std::int64_t>(s)], method->forward(image, subsets[s]),
                             1e-4, 1e-5));
  }
}

TEST(UNetMfiMethod, EveryParameterLearnsAndNamesThatNeverRanAreIgnored) {
  const auto method = make();
  Batch batch;
  batch.image = torch::rand({2, 4, 8, 8, 8});
  batch.label = torch::randint(0, 4, {2, 8, 8, 8}, at::kByte);
  batch.subsets = {{kFlair, kT1T2}};
  const Comparison result = compare_phase(*method, "train", batch, {});
  for (const auto& [name, norm] : result.gradients) {
    EXPECT_TRUE(norm.has_value()) << name;
  }
  const auto ignored = method->ignored_official_names();
  ASSERT_EQ(ignored.size(), 15u);
  EXPECT_EQ(ignored.front(), "diff1.Relation2.");
  EXPECT_EQ(ignored.back(), "diff5.Relation4.");
}

// A wrong code, or images that are not zeroed, would mix the samples' own.
TEST(UNetMfiMethod, SamplesOfABatchKeepTheirOwnSubsets) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  Batch batch;
  batch.image = torch::rand({2, 4, 8, 8, 8});
  batch.label = torch::randint(0, 4, {2, 8, 8, 8}, at::kByte);
  batch.subsets = {{kFlair, kT1T2}};
  const Loss loss = method->loss("train", batch, {});
  const Outputs first =
      method->run(method->order().image(batch.image.narrow(0, 0, 1)) *
                      method->order().mask({kFlair}, batch.image).view({1, 4, 1, 1, 1}),
                  method->order().mask({kFlair}, batch.image), false);
  EXPECT_TRUE(at::allclose(loss.output.narrow(0, 0, 1), first.combined, 1e-4, 1e-5));
}

}  // namespace
}  // namespace lacuna::methods::u_net_mfi

// MCTSeg as the rest of Lacuna uses it: stages, evaluation, dropout, cases that lack a modality,
// refusals.
#include "methods/mctseg/method.h"

#include <numeric>

#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"

namespace lacuna::methods::mctseg {
namespace {

std::unique_ptr<methods::Method> made(const Json& options = Json::object(),
                                      std::vector<std::string> modalities = {"FLAIR", "T1", "T1c",
                                                                             "T2"}) {
  torch::manual_seed(4);
  auto method = make_method("mctseg", data::ModalitySet(std::move(modalities)), 0.125, options,
                            data::Extent{32, 48, 32});
  method->initialise();
  return method;
}

Batch batch(std::vector<SubsetMask> subsets, at::ScalarType type = at::kFloat) {
  torch::manual_seed(5);
  const auto samples = static_cast<std::int64_t>(subsets.size());
  Batch made;
  made.image = torch::randn({samples, 4, 32, 48, 32}).to(type);
  made.label = torch::randint(0, 4, {samples, 32, 48, 32}).to(at::kByte);
  made.subsets = {std::move(subsets)};
  return made;
}

TEST(Mctseg, EncodesOnceForAllSubsets) {
  const auto method = made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({0, 0}).image;
  std::vector<SubsetMask> subsets(15);
  std::iota(subsets.begin(), subsets.end(), 1);
  const at::Tensor once = method->decode(method->encode(image), subsets);
  ASSERT_EQ(once.sizes(), (at::IntArrayRef{15, 2, 4, 32, 48, 32}));
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    const at::Tensor alone = method->forward(image, subsets[s]);
    EXPECT_TRUE(at::equal(once[static_cast<std::int64_t>(s)], alone)) << subsets[s];
  }
}

// One subset per sample, so that a batch is as its samples: also where the losses look at all of
// it, which are then compared by their outputs.
TEST(Mctseg, SubsetsBelongToSamples) {
  const auto method = made();
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  const Batch both = batch({0b0110, 0b1000}, at::kDouble);
  const at::Tensor output = method->loss("train", both, {}).output;
  for (const std::int64_t n : {0, 1}) {
    const at::Tensor alone =
        method->forward(both.image.narrow(0, n, 1), both.subsets[0][static_cast<std::size_t>(n)]);
    EXPECT_LT((output.narrow(0, n, 1) - alone).abs().max().item<double>(), 1e-11);
  }
}

// The network's channels are FLAIR, T1c, T1, T2 in whatever order the cohort has them.
TEST(Mctseg, TakesModalitiesInTheCohortsOrder) {
  const auto one = made(), other = made(Json::object(), {"T2", "FLAIR", "T1c", "T1"});
  EXPECT_THAT(one->published_channels(), ::testing::ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(other->published_channels(), ::testing::ElementsAre(1, 2, 3, 0));
  const torch::NoGradGuard no_grad;
  const at::Tensor published = batch({0}).image;
  EXPECT_TRUE(at::equal(one->forward(from_published_channels(*one, published), 0b0101),
                        other->forward(from_published_channels(*other, published), 0b0110)));
}

// Of the second sample's case there is no T2 at all: a term of it leaves it out.
TEST(Mctseg, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  const auto method = made();
  method->module().to(at::kDouble);
  Batch given = batch({0b1111, 0b0111}, at::kDouble);
  given.image[1][3].zero_();
  const double all = method->loss("train", given, {}).total.item<double>();
  given.available = {0b1111, 0b0111};
  EXPECT_GT(std::abs(method->loss("train", given, {}).total.item<double>() - all), 1e-3);
  // Nothing of what would be in that place counts, and its encoder learns from the first alone.
  const auto gradient = [&] {
    method->module().zero_grad();
    const Loss loss = method->loss("train", given, {});
    loss.total.backward();
    return std::pair(loss.total.item<double>(),
                     method->module().named_parameters()["t2_encoder.e1_c1.weight"].grad().clone());
  };
  const auto before = gradient();
  given.image[1][3].normal_();
  const auto after = gradient();
  EXPECT_DOUBLE_EQ(before.first, after.first);
  EXPECT_LT((before.second - after.second).abs().max().item<double>(), 1e-12);
  // Where no case of the batch has it, the terms are gone.
  given.available = {0b0111, 0b0111};
  EXPECT_LT(method->loss("train", given, {}).total.item<double>(), before.first - 0.5);
}

TEST(Mctseg, StatesItsRun) {
  const auto method = made();
  const auto stages = method->stages(190'000);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].subsets, (Json{{"policy", "uniform"}, {"granularity", "sample"}}));
  const Phase& phase = stages[0].phases.at(0);
  EXPECT_TRUE(phase.joint);
  const TrainedGroup& group = phase.trains.at(0);
  EXPECT_TRUE(group.optimizer.amsgrad);
  EXPECT_FALSE(group.optimizer.defined_zero);
  EXPECT_EQ(group.optimizer.weight_decay, 1e-4);
  EXPECT_EQ(group.schedule.granularity, 190);
  EXPECT_FALSE(made({{"local_dice", true}})->stages(10)[0].phases[0].joint);
  EXPECT_EQ(method->groups().at(0).parameters.size(), 367u);
  EXPECT_TRUE(method->inference().relabelled.empty());
  EXPECT_EQ(made({{"official", true}})->inference().relabelled.at(0).minimum, 500);
  EXPECT_TRUE(made({{"official", true}, {"et_min", 0}})->inference().relabelled.empty());
}

// Masks belong to samples: with their keys a batch drops what its samples do one by one; without
// keys nothing is dropped.
TEST(Mctseg, DropoutBelongsToSamples) {
  const auto method = made({{"local_dice", true}});
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch both = batch({0b0110, 0b1000}, at::kDouble);
  const at::Tensor still = method->loss("train", both, {}).output;
  both.sample_index = {7, 8};
  const at::Tensor output = method->loss("train", both, {}).output;
  EXPECT_GT((output - still).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(at::equal(output, method->loss("train", both, {}).output));
  Batch second;
  second.image = both.image.narrow(0, 1, 1);
  second.label = both.label.narrow(0, 1, 1);
  second.subsets = {{0b1000}};
  second.sample_index = {8};
  EXPECT_LT((output.narrow(0, 1, 1) - method->loss("train", second, {}).output)
                .abs()
                .max()
                .item<double>(),
            1e-10);
  EXPECT_TRUE(
      at::equal(made({{"dropout", false}})->loss("train", batch({3, 3}), {}).output,
                made({{"dropout", false}})->loss("train", batch({3, 3}), {.seed = 2}).output));
}

// MCTSeg card, sections 5 to 7.
TEST(Mctseg, StatesItsData) {
  const auto method = made();
  const data::DataRecipe recipe = method->recipe();
  EXPECT_EQ(recipe.axes, (data::Axes{1, 2, 0}));
  EXPECT_EQ(recipe.normalisation, data::Normalisation::kZScore);
  EXPECT_EQ(recipe.background, data::Background::kNormalised);
  EXPECT_TRUE(recipe.crop.inside_box);
  EXPECT_EQ(recipe.augmentation.plane_turn_degrees, (data::WholeRange{-10, 9}));
  EXPECT_EQ(recipe.augmentation.slice_gain, (data::Range{0.9, 1.1}));
  EXPECT_EQ(recipe.augmentation.slice_offset, (data::Range{-0.1, 0.1}));
  EXPECT_EQ(data::in_volume_order(recipe).augmentation.slice_axis, 1);  // i of the files is H
  const InferenceRecipe inference = method->inference();
  EXPECT_EQ(inference.activation, InferenceRecipe::Activation::kSoftmax);
  EXPECT_EQ(inference.overlap, 0.5);
  EXPECT_TRUE(inference.blend_probabilities);
}

TEST(Mctseg, WeightsComeBackUnderThePublishedNames) {
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
  EXPECT_EQ(import_weights(*other, folder / "w.safetensors").loaded, 367);
  const at::Tensor image = batch({0}).image;
  EXPECT_TRUE(at::equal(one->forward(image, 7), other->forward(image, 7)));
}

TEST(Mctseg, RefusesOtherExtents) {
  const auto refusal = [](data::Extent patch, const Json& options) {
    try {
      make_method("mctseg", data::ModalitySet({"FLAIR", "T1"}), 0.1, options, patch);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({80, 84, 80}, Json::object()), ::testing::HasSubstr("80 or 96"));
  EXPECT_THAT(refusal({16, 80, 80}, Json::object()), ::testing::HasSubstr("nearest for D: 32"));
  const auto method = made();
  EXPECT_THROW(method->forward(torch::zeros({1, 4, 32, 32, 48}), 1), ConfigError);
}

// bf16 autocast: numbers near those of float.
TEST(Mctseg, Bfloat16IsNearFloat) {
  const auto method = made();
  const Batch given = batch({0b0111, 0b1010});
  const double wide = method->loss("train", given, {}).total.item<double>();
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const Loss narrow = method->loss("train", given, {});
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_NEAR(narrow.total.item<double>(), wide, 0.02 * wide);
  EXPECT_NE(narrow.total.item<double>(), wide);
  narrow.total.backward();
  for (const auto& item : method->module().named_parameters()) {
    const at::Tensor& grad = item.value().grad();
    EXPECT_TRUE(!grad.defined() || grad.isfinite().all().item<bool>()) << item.key();
  }
}

TEST(Mctseg, ChannelsLastGivesTheSameLoss) {
  const auto method = made();
  method->module().to(at::kDouble);
  Batch given = batch({0b0111, 0b1010}, at::kDouble);
  const double plain = method->loss("train", given, {}).total.item<double>();
  given.image = given.image.contiguous(at::MemoryFormat::ChannelsLast3d);
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : method->module().parameters()) {
      if (parameter.dim() == 5) {
        parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast3d));
      }
    }
  }
  EXPECT_NEAR(method->loss("train", given, {}).total.item<double>(), plain, 1e-10);
}

}  // namespace
}  // namespace lacuna::methods::mctseg

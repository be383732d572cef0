// RFNet and the methods that were built on it as the rest of Lacuna uses them: the checks that all
// of them have to pass. A test program states its example and calls them.
#pragma once

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/method.h"
#include "methods/registry.h"

namespace lacuna::methods {

struct BrainBoxExample {
  std::string name;
  data::Extent patch;
  double width = 0.125;
  Progress progress;  // where every term of the loss counts

  std::unique_ptr<Method> made(const Json& options = Json::object(),
                               std::vector<std::string> modalities = {"FLAIR", "T1", "T1c",
                                                                      "T2"}) const {
    torch::manual_seed(4);
    auto method =
        make_method(name, data::ModalitySet(std::move(modalities)), width, options, patch);
    method->initialise();
    return method;
  }
  std::unique_ptr<Method> made_in_double() const {
    auto method = made();
    method->module().to(at::kDouble);
    return method;
  }
  Batch batch(std::vector<SubsetMask> subsets, at::ScalarType type = at::kFloat) const {
    torch::manual_seed(5);
    const auto samples = static_cast<std::int64_t>(subsets.size());
    const auto [d, h, w] = std::tuple(patch[0], patch[1], patch[2]);
    Batch made;
    made.image = torch::randn({samples, 4, d, h, w}).to(type);
    made.label = torch::randint(0, 4, {samples, d, h, w}).to(at::kByte);
    made.subsets = {std::move(subsets)};
    return made;
  }
  double total(Method& method, const Batch& batch) const {
    return method.loss("train", batch, progress).total.item<double>();
  }
};

inline void expect_encodes_once(const BrainBoxExample& example) {
  const auto method = example.made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = example.batch({0, 0}).image;
  std::vector<SubsetMask> subsets(15);
  std::iota(subsets.begin(), subsets.end(), 1);
  const at::Tensor once = method->decode(method->encode(image), subsets);
  const auto [d, h, w] = std::tuple(example.patch[0], example.patch[1], example.patch[2]);
  ASSERT_EQ(once.sizes(), (at::IntArrayRef{15, 2, 4, d, h, w}));
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    const at::Tensor alone = method->forward(image, subsets[s]);
    EXPECT_TRUE(at::equal(once[static_cast<std::int64_t>(s)], alone)) << subsets[s];
  }
}

// One subset per sample, so that a batch is as its samples: also where the losses look at all of
// it, which are then compared by their outputs.
inline void expect_subsets_of_samples(const BrainBoxExample& example) {
  const auto method = example.made_in_double();
  const torch::NoGradGuard no_grad;
  const Batch both = example.batch({0b0110, 0b1000}, at::kDouble);
  const at::Tensor output = method->loss("train", both, example.progress).output;
  for (const std::int64_t n : {0, 1}) {
    const at::Tensor alone =
        method->forward(both.image.narrow(0, n, 1), both.subsets[0][static_cast<std::size_t>(n)]);
    EXPECT_LT((output.narrow(0, n, 1) - alone).abs().max().item<double>(), 1e-11);
  }
}

// The network's channels are FLAIR, T1c, T1, T2 in whatever order the cohort has them.
inline void expect_takes_any_order(const BrainBoxExample& example) {
  const auto one = example.made();
  const auto other = example.made(Json::object(), {"T2", "FLAIR", "T1c", "T1"});
  EXPECT_THAT(one->published_channels(), ::testing::ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(other->published_channels(), ::testing::ElementsAre(1, 2, 3, 0));
  const torch::NoGradGuard no_grad;
  const at::Tensor published = example.batch({0}).image;
  EXPECT_TRUE(at::equal(one->forward(from_published_channels(*one, published), 0b0101),
                        other->forward(from_published_channels(*other, published), 0b0110)));
}

// Of the second sample's case there is no T2 at all: a term of it leaves it out. `weight`: of its
// encoder.
inline void expect_leaves_out_what_a_case_lacks(const BrainBoxExample& example,
                                                const std::string& weight) {
  const auto method = example.made_in_double();
  Batch given = example.batch({0b1111, 0b0111}, at::kDouble);
  given.image[1][3].zero_();
  const double all = example.total(*method, given);
  given.available = {0b1111, 0b0111};
  EXPECT_GT(std::abs(example.total(*method, given) - all), 1e-3);
  // Nothing of what would be in that place counts, and its encoder learns from the first alone.
  const auto gradient = [&] {
    method->module().zero_grad();
    const Loss loss = method->loss("train", given, example.progress);
    loss.total.backward();
    return std::pair(loss.total.item<double>(),
                     method->module().named_parameters()[weight].grad().clone());
  };
  const auto before = gradient();
  given.image[1][3].normal_();
  const auto after = gradient();
  EXPECT_DOUBLE_EQ(before.first, after.first);
  EXPECT_LT((before.second - after.second).abs().max().item<double>(), 1e-12);
  // Where no case of the batch has it, the terms are gone.
  given.available = {0b0111, 0b0111};
  EXPECT_LT(example.total(*method, given), before.first - 0.5);
}

// Masks belong to samples: with their keys a batch drops what its samples do one by one; without
// keys nothing is dropped, and with dropout off neither with them.
inline void expect_dropout_of_samples(const BrainBoxExample& example, const Json& options) {
  const auto method = example.made(options);
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch both = example.batch({0b0110, 0b1000}, at::kDouble);
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
  const at::Tensor alone = method->loss("train", second, {}).output;
  EXPECT_LT((output.narrow(0, 1, 1) - alone).abs().max().item<double>(), 1e-10);
  const auto without = example.made({{"dropout", false}});
  Batch keyed = example.batch({3, 3});
  keyed.sample_index = {7, 8};
  EXPECT_TRUE(at::equal(without->loss("train", keyed, {}).output,
                        without->loss("train", keyed, {.seed = 2}).output));
}

// One stage of one phase over the whole batch; `steps` of which `granularity` have one rate.
inline void expect_states_its_run(const BrainBoxExample& example, std::int64_t steps,
                                  std::int64_t granularity, std::size_t parameters) {
  const auto method = example.made();
  const auto stages = method->stages(steps);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].subsets, (Json{{"policy", "uniform"}, {"granularity", "sample"}}));
  const Phase& phase = stages[0].phases.at(0);
  EXPECT_TRUE(phase.joint);
  const TrainedGroup& group = phase.trains.at(0);
  EXPECT_TRUE(group.optimizer.amsgrad);
  EXPECT_FALSE(group.optimizer.defined_zero);
  EXPECT_EQ(group.optimizer.weight_decay, 1e-4);
  EXPECT_EQ(group.schedule.granularity, granularity);
  EXPECT_FALSE(example.made({{"local_dice", true}})->stages(10)[0].phases[0].joint);
  EXPECT_EQ(method->groups().at(0).parameters.size(), parameters);
  EXPECT_TRUE(method->inference().relabelled.empty());
  EXPECT_EQ(example.made({{"official", true}})->inference().relabelled.at(0).minimum, 500);
  EXPECT_TRUE(example.made({{"official", true}, {"et_min", 0}})->inference().relabelled.empty());
}

// mmFormer card, sections 5 to 7.
inline void expect_states_its_data(const BrainBoxExample& example) {
  const auto method = example.made();
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

inline void expect_weights_come_back(const BrainBoxExample& example, int tensors) {
  const TemporaryDirectory folder;
  const auto one = example.made();
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const auto& item : one->module().named_parameters()) {
    all.emplace_back(item.key(), item.value());
  }
  write_tensors(folder / "w.safetensors", all);
  const auto other = example.made();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : other->module().parameters()) parameter.zero_();
  EXPECT_EQ(import_weights(*other, folder / "w.safetensors").loaded, tensors);
  const at::Tensor image = example.batch({0}).image;
  EXPECT_TRUE(at::equal(one->forward(image, 7), other->forward(image, 7)));
}

// What a method of this patch says; empty: it takes it.
inline std::string brain_box_refusal(const BrainBoxExample& example, const data::Extent& patch) {
  try {
    make_method(example.name, data::ModalitySet({"FLAIR", "T1"}), 0.1, Json::object(), patch);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// bf16 autocast: numbers near those of float.
inline void expect_bfloat16_near_float(const BrainBoxExample& example) {
  const auto method = example.made();
  const Batch given = example.batch({0b0111, 0b1010});
  const double wide = example.total(*method, given);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const Loss narrow = method->loss("train", given, example.progress);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_NEAR(narrow.total.item<double>(), wide, 0.02 * wide);
  EXPECT_NE(narrow.total.item<double>(), wide);
  narrow.total.backward();
  const auto parameters = method->module().named_parameters();
  const std::vector<ParameterGroup> groups = method->groups();
  for (const std::string& trained : groups.at(0).parameters) {
    const at::Tensor& grad = parameters[trained].grad();
    EXPECT_TRUE(grad.defined() && grad.isfinite().all().item<bool>()) << trained;
  }
}

inline void expect_channels_last_gives_the_same(const BrainBoxExample& example) {
  const auto method = example.made_in_double();
  Batch given = example.batch({0b0111, 0b1010}, at::kDouble);
  const double plain = example.total(*method, given);
  given.image = given.image.contiguous(at::MemoryFormat::ChannelsLast3d);
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : method->module().parameters()) {
      if (parameter.dim() == 5) {
        parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast3d));
      }
    }
  }
  EXPECT_NEAR(example.total(*method, given), plain, 1e-10);
}

}  // namespace lacuna::methods

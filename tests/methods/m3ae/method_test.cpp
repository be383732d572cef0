// What M3AE promises beyond its numbers: incomplete cases, mirrored windows, bad options, samples
// that do not depend on their batch.
#include "methods/m3ae/method.h"

#include <memory>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::methods::m3ae {
namespace {

std::unique_ptr<Method> make(Json options = Json::object()) {
  MethodSettings settings;
  settings.width = 0.5;
  options.update({{"substitute_depth", 24}, {"substitute_height", 40}, {"substitute_width", 36}});
  settings.options = Schema(binding().declared()).resolve(options, "test");
  settings.patch = data::Extent{16, 32, 32};
  torch::manual_seed(4);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

Batch batch_of(std::vector<std::vector<SubsetMask>> subsets) {
  torch::manual_seed(8);
  Batch batch;
  batch.image = torch::rand({2, 4, 16, 32, 32});
  batch.label = torch::randint(0, 4, {2, 16, 32, 32}).to(at::kByte);
  batch.subsets = std::move(subsets);
  batch.sample_index = {40, 41};
  batch.origin = {{1, 2, 3}, {7, 0, 4}};
  return batch;
}

Batch sample_of(const Batch& batch, std::int64_t n) {
  const auto i = static_cast<std::size_t>(n);
  Batch part;
  part.image = batch.image.narrow(0, n, 1);
  part.label = batch.label.narrow(0, n, 1);
  for (const auto& draw : batch.subsets) part.subsets.push_back({draw[i]});
  part.sample_index = {batch.sample_index[i]};
  part.origin = {batch.origin[i]};
  if (!batch.available.empty()) part.available = {batch.available[i]};
  return part;
}

TEST(M3ae, LossesAreMeansOverSamples) {
  const auto method = make();
  Batch batch = batch_of({{0b0111, 0b1000}, {0b1010, 0b1111}});
  batch.available = {0b1111, 0b1110};
  for (const char* phase : {"pretrain", "finetune"}) {
    const double together = method->loss(phase, batch, {}).total.item<double>();
    const double first = method->loss(phase, sample_of(batch, 0), {}).total.item<double>();
    const double second = method->loss(phase, sample_of(batch, 1), {}).total.item<double>();
    EXPECT_NEAR(together, (first + second) / 2, 1e-5 * together) << phase;
    EXPECT_GT(std::abs(first - second), 1e-4) << phase;
  }
}

// A zero image that a case lacks is no image: it is neither shown nor rebuilt.
TEST(M3ae, WhatACaseLacksIsNeitherShownNorRebuilt) {
  const auto method = make();
  Batch batch = batch_of({{0b1111, 0b1111}, {0b1111, 0b0111}});
  batch.available = {0b0111, 0b0111};
  for (const char* phase : {"pretrain", "finetune"}) {
    const double before = method->loss(phase, batch, {}).total.item<double>();
    Batch other = batch;
    other.image = batch.image.clone();
    other.image.select(1, 3).fill_(100);
    EXPECT_EQ(method->loss(phase, other, {}).total.item<double>(), before) << phase;
  }
}

// A window that comes turned round has the substitute turned round with it.
TEST(M3ae, MirroredWindowsHaveTheirSubstituteMirrored) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const at::Tensor image = torch::rand({1, 4, 16, 32, 32});
  const Features plain = method->encode_at(image, {.corner = {2, 5, 1}});
  const Features turned =
      method->encode_at(image.flip({2, 4}), {.corner = {2, 5, 1}, .mirrored = {true, false, true}});
  EXPECT_TRUE(at::equal(turned[0], plain[0].flip({2, 4})));
  EXPECT_TRUE(at::equal(turned[1], plain[1].flip({2, 4})));
}

TEST(M3ae, SamplesAreChangedByTheirOwnNumbers) {
  const auto method = make();
  Batch batch = batch_of({{0b1111, 0b1111}, {0b1111, 0b1111}});
  const double drawn = method->loss("finetune", batch, {}).total.item<double>();
  EXPECT_EQ(method->loss("finetune", batch, {}).total.item<double>(), drawn);
  batch.sample_index = {42, 43};
  EXPECT_NE(method->loss("finetune", batch, {}).total.item<double>(), drawn);
  batch.sample_index.clear();  // nothing is drawn
  const double still = method->loss("finetune", batch, {}).total.item<double>();
  EXPECT_EQ(method->loss("finetune", batch, {}).total.item<double>(), still);
}

TEST(M3ae, EveryTrainedParameterLearns) {
  const auto method = make();
  method->loss("pretrain", batch_of({{0b0111, 0b1000}, {0b1111, 0b1111}}), {}).total.backward();
  method->loss("finetune", batch_of({{0b0111, 0b1000}, {0b1011, 0b0110}}), {}).total.backward();
  std::set<std::string> trained;
  for (const auto& group : method->groups()) {
    trained.insert(group.parameters.begin(), group.parameters.end());
  }
  for (const auto& item : method->module().named_parameters()) {
    const at::Tensor& grad = item.value().grad();
    EXPECT_EQ(grad.defined() && grad.abs().max().item<double>() > 0, trained.contains(item.key()))
        << item.key();
  }
}

TEST(M3ae, OtherNumbersOfModalitiesWork) {
  MethodSettings settings;
  settings.width = 0.5;
  settings.modalities = data::ModalitySet({"T2", "T1c", "ADC"});
  settings.options =
      Schema(binding().declared())
          .resolve({{"substitute_depth", 8}, {"substitute_height", 8}, {"substitute_width", 8}},
                   "test");
  settings.patch = data::Extent{16, 16, 16};
  Method method(settings);
  method.initialise();
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(method.forward(torch::rand({2, 3, 16, 16, 16}), 0b101).size(1), 3);
}

TEST(M3ae, BadTokensAreRefused) {
  for (const char* text : {"1,,2", "1,", "x", "1;2", "-3"}) {
    EXPECT_THROW(make({{"kept_tokens", text}}), ConfigError) << text;
  }
  EXPECT_NO_THROW(make({{"kept_tokens", "3,1,2"}}));
}

}  // namespace
}  // namespace lacuna::methods::m3ae

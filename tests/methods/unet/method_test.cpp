#include "methods/unet/method.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/shared/zero_fill.h"

namespace lacuna::methods::unet {
namespace {

const data::ModalitySet kBrats({"FLAIR", "T1", "T1c", "T2"});

std::unique_ptr<methods::Method> make(double width, const Json& options) {
  return make_method("unet", kBrats, width, options);
}

std::int64_t parameters(methods::Method& method) {
  std::int64_t count = 0;
  for (const auto& parameter : method.module().parameters()) count += parameter.numel();
  return count;
}

Batch random_batch(std::int64_t samples, std::int64_t extent, SubsetMask subset) {
  Batch batch;
  batch.image = at::randn({samples, 4, extent, extent, extent});
  batch.label = at::randint(0, 4, {samples, extent, extent, extent}, at::kByte);
  batch.subsets = {std::vector<SubsetMask>(samples, subset)};
  return batch;
}

TEST(Unet, HasTheParametersOfTheArchitecture) {
  // Two levels at width 1, by hand: 3x3x3 convolutions 4->32, 32->32, 32->64, 64->64, 64->32,
  // 32->32; twice the channels for each norm; up 64->32 with bias; head 32->3 with bias.
  const std::int64_t convolutions = 27 * (4 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 32 + 32 * 32);
  const std::int64_t norms = 2 * (32 + 32 + 64 + 64 + 32 + 32);
  const std::int64_t others = 64 * 32 * 8 + 32 + 32 * 3 + 3;
  EXPECT_EQ(parameters(*make(1, {{"levels", 2}})), convolutions + norms + others);
}

TEST(Unet, StopsDoublingAt320Channels) {
  const auto method = make(1, {{"levels", 7}});
  const auto weights = method->module().named_parameters();
  EXPECT_EQ(weights["encoder3.1.conv.weight"].size(0), 256);
  EXPECT_EQ(weights["encoder4.1.conv.weight"].size(0), 320);
  EXPECT_EQ(weights["encoder6.1.conv.weight"].size(0), 320);
}

TEST(Unet, NeverSeesAMissingModality) {
  torch::manual_seed(1);
  const auto method = make(0.125, {{"levels", 2}});
  torch::NoGradGuard no_grad;
  at::Tensor image = at::randn({1, 4, 4, 6, 8});
  const SubsetMask subset = 0b0101;
  const at::Tensor before = method->forward(image, subset);
  EXPECT_EQ(before.sizes(), (std::vector<std::int64_t>{1, 3, 4, 6, 8}));
  image.select(1, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  image.select(1, 3).fill_(1e9f);
  EXPECT_TRUE(at::equal(method->forward(image, subset), before));
  EXPECT_FALSE(at::equal(method->forward(image.nan_to_num(0), 0b1101), before));
}

// Regions of 2024: the cavity is tissue 4 and in none of ET, TC, WT.
TEST(Unet, HasAnOutputForTheResectionCavityOnRequest) {
  const auto plain = make(0.125, {{"levels", 2}}),
             method = make(0.125, {{"levels", 2}, {"resection", true}});
  EXPECT_EQ(parameters(*method), parameters(*plain) + 4 + 1) << "one more row of the head";
  const auto paints = [](methods::Method& of, int channel) {
    const auto channels = of.inference().channels;
    return std::any_of(channels.begin(), channels.end(), [&](const auto& each) {
      return each.channel == channel && each.tissue == data::Tissue::kResection;
    });
  };
  EXPECT_FALSE(paints(*plain, 3));
  EXPECT_TRUE(paints(*method, 3));
  // A network that is sure of RC alone everywhere: the loss is least where all is cavity.
  {
    torch::NoGradGuard no_grad;
    for (auto& item : method->module().named_parameters()) {
      if (!item.key().starts_with("head")) continue;
      item.value().zero_();
      if (item.value().dim() == 1) item.value().copy_(at::tensor({-9.0f, -9.0f, -9.0f, 9.0f}));
    }
  }
  Batch batch = random_batch(2, 8, 0b1111);
  batch.label.fill_(static_cast<int>(data::Tissue::kResection));
  const double cavity = method->loss("train", batch, {}).total.item<double>();
  batch.label.fill_(static_cast<int>(data::Tissue::kEnhancing));
  const double enhancing = method->loss("train", batch, {}).total.item<double>();
  EXPECT_NEAR(cavity, 0.75, 0.01);  // Dice of the three regions that are empty, and no more
  EXPECT_GT(enhancing, 5);
}

TEST(ZeroFill, DropsPerSample) {
  const at::Tensor image = at::ones({2, 4, 1, 1, 1});
  const at::Tensor filled = zero_fill(image, {0b0001, 0b1110}).flatten(1);
  EXPECT_TRUE(at::equal(filled[0], at::tensor({1.0f, 0.0f, 0.0f, 0.0f})));
  EXPECT_TRUE(at::equal(filled[1], at::tensor({0.0f, 1.0f, 1.0f, 1.0f})));
}

TEST(Unet, LossOfAnUndecidedNetworkByHand) {
  const auto method = make(0.125, {{"levels", 2}});
  {
    torch::NoGradGuard no_grad;
    for (auto& item : method->module().named_parameters()) {
      if (item.key().starts_with("head")) item.value().zero_();
    }
  }
  Batch batch = random_batch(1, 4, 0b1111);
  batch.label.fill_(static_cast<int>(data::Tissue::kEnhancing));  // in every region
  const Loss loss = method->loss("train", batch, {});
  // p = 1/2, t = 1 on 64 voxels: 1 - 2 * 32 / (32 + 64 + 1), and ln 2.
  EXPECT_NEAR(loss.parts[0].second.item<double>(), 1 - 64.0 / 97, 1e-6);
  EXPECT_NEAR(loss.parts[1].second.item<double>(), std::log(2.0), 1e-6);
  EXPECT_NEAR(loss.total.item<double>(), 1 - 64.0 / 97 + std::log(2.0), 1e-6);
}

TEST(Unet, DeepSupervisionWeighsCoarserLevelsByHalves) {
  const auto method = make(0.125, {{"levels", 4}, {"deep_supervision", true}});
  {
    torch::NoGradGuard no_grad;
    for (auto& item : method->module().named_parameters()) {
      if (item.key().starts_with("head")) item.value().zero_();
    }
  }
  Batch batch = random_batch(1, 8, 0b1111);
  batch.label.fill_(static_cast<int>(data::Tissue::kEnhancing));
  const auto dice = [](double voxels) { return 1 - voxels / (1.5 * voxels + 1); };
  const Loss loss = method->loss("train", batch, {});
  EXPECT_NEAR(loss.parts[0].second.item<double>(), (dice(512) + dice(64) / 2) / 1.5, 1e-6);
  EXPECT_NEAR(loss.parts[1].second.item<double>(), std::log(2.0), 1e-6);
}

TEST(Unet, EveryParameterLearns) {
  torch::manual_seed(4);
  const auto method = make(0.125, {{"levels", 3}, {"deep_supervision", true}});
  method->loss("train", random_batch(2, 8, 0b0110), {}).total.backward();
  for (const auto& item : method->module().named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

TEST(Unet, RefusesExtentsThatItCannotHalve) {
  const auto method = make(0.125, {{"levels", 3}});
  EXPECT_EQ(method->extent_multiple(), (data::Extent{4, 4, 4}));
  EXPECT_THROW(method->forward(at::randn({1, 4, 8, 8, 6}), 0b1111), ConfigError);
  EXPECT_THROW(make(0.125, {{"levels", 1}}), ConfigError);
}

TEST(Unet, EncodeOnceEqualsForward) {
  torch::manual_seed(6);
  const auto method = make(0.125, {{"levels", 2}});
  torch::NoGradGuard no_grad;
  const at::Tensor image = at::randn({1, 4, 4, 4, 4});
  const std::vector<SubsetMask> subsets = {0b0001, 0b1011};
  const at::Tensor all = method->decode(method->encode(image), subsets);
  EXPECT_TRUE(at::equal(all[0], method->forward(image, 0b0001)));
  EXPECT_TRUE(at::equal(all[1], method->forward(image, 0b1011)));
}

TEST(Unet, RecipeOfNnUnet) {
  const auto method = make(0.125, Json::object());
  const Stage stage = method->stages(1000).at(0);
  const OptimizerSpec& sgd = stage.phases.at(0).trains.at(0).optimizer;
  EXPECT_EQ(stage.steps, 1000);
  EXPECT_EQ(stage.subsets["policy"], "uniform");
  EXPECT_TRUE(sgd.nesterov);
  EXPECT_EQ(sgd.momentum, 0.99);
  EXPECT_EQ(stage.phases.at(0).trains.at(0).schedule.horizon, 1000);
  EXPECT_EQ(make(0.125, {{"training_subsets", "full"}})->stages(10).at(0).subsets["policy"],
            "full");
  // Mirroring always; turns and zooms with the whole augmentation only.
  const auto light = method->recipe().augmentation;
  const auto whole = make(0.125, {{"augmentation", "nnunet"}})->recipe();
  EXPECT_EQ(light.mirror_probability, whole.augmentation.mirror_probability);
  EXPECT_EQ(light.rotation_probability, 0);
  EXPECT_EQ(whole.augmentation.rotation_probability, 0.2);
  EXPECT_EQ(whole.augmentation.rotation_degrees, (data::Range{-30, 30}));
  EXPECT_EQ(whole.augmentation.elastic_probability, 0);
  EXPECT_EQ(whole.crop.centred_probability, method->recipe().crop.centred_probability);
}

}  // namespace
}  // namespace lacuna::methods::unet

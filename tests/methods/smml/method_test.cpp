// SMML as the rest of Lacuna uses it: stages, evaluation, options, cases that lack a modality,
// refusals.
#include "methods/smml/method.h"

#include <cmath>
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
#include "methods/shared/class_output_loss.h"
#include "tests/methods/smml/narrow_smml.h"

namespace lacuna::methods::smml {
namespace {

TEST(Smml, EncodesOnceForAllSubsets) {
  for (const char* average : {"logits", "probabilities"}) {
    const auto method = made({{"average", average}});
    const torch::NoGradGuard no_grad;
    const at::Tensor image = batch({0, 0}, {0, 0}).image;
    std::vector<SubsetMask> subsets(15);
    std::iota(subsets.begin(), subsets.end(), 1);
    const at::Tensor once = method->decode(method->encode(image), subsets);
    ASSERT_EQ(once.sizes(), (at::IntArrayRef{15, 2, 4, 32, 48, 32}));
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      EXPECT_TRUE(at::equal(once[static_cast<std::int64_t>(s)], method->forward(image, subsets[s])))
          << subsets[s];
    }
  }
}

// The softmax of what is blended is the mean of both networks' probabilities.
TEST(Smml, AveragesProbabilitiesWhereAsked) {
  const auto logits = made({{"dual", true}}), probabilities = made({{"average", "probabilities"}});
  auto& networks = dynamic_cast<Method&>(*probabilities);
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({0}, {0}).image;
  const ModalityOrder order(data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), rfnet_order());
  const auto of = [&](std::size_t i) {
    return networks.network(i).segment(order.image(image), order.present(6));
  };
  EXPECT_LT(
      (probabilities->forward(image, 6).softmax(1) - (of(0).softmax(1) + of(1).softmax(1)) / 2)
          .abs()
          .max()
          .item<double>(),
      1e-6);
  EXPECT_TRUE(at::equal(logits->forward(image, 6), (of(0) + of(1)) / 2));
}

TEST(Smml, SubsetsBelongToSamplesAndNetworks) {
  const auto method = made();
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  const Batch both = batch({0b0110, 0b1000}, {0b1111, 0b0001}, at::kDouble);
  const at::Tensor output = method->loss("train", both, {}).output;
  auto& networks = dynamic_cast<Method&>(*method);
  const ModalityOrder order(data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), rfnet_order());
  for (const std::int64_t n : {0, 1}) {
    at::Tensor mean;
    for (std::size_t i = 0; i < 2; ++i) {
      const SubsetMask subset = both.subsets[i][static_cast<std::size_t>(n)];
      const at::Tensor own = networks.network(i).segment(order.image(both.image.narrow(0, n, 1)),
                                                         order.present(subset));
      mean = mean.defined() ? (mean + own) / 2 : own;
    }
    EXPECT_LT((output.narrow(0, n, 1) - mean).abs().max().item<double>(), 1e-11);
  }
}

TEST(Smml, TakesModalitiesInTheCohortsOrder) {
  const auto one = made(kFromStart), other = made(kFromStart, {"T2", "FLAIR", "T1c", "T1"});
  EXPECT_THAT(one->published_channels(), ::testing::ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(other->published_channels(), ::testing::ElementsAre(1, 2, 3, 0));
  const torch::NoGradGuard no_grad;
  Batch published = batch({0b0101}, {0b1000});  // FLAIR + T1c, T2
  const at::Tensor image = published.image, maps = published.extras["sam"];
  const auto total = [&](methods::Method& method) {
    published.image = from_published_channels(method, image);
    published.extras["sam"] = from_published_channels(method, maps);
    return method.loss("train", published, {}).total.item<double>();
  };
  const double first = total(*one);
  published.subsets = {{0b0110}, {0b0001}};
  EXPECT_DOUBLE_EQ(total(*other), first);
}

// Options change what they say.
TEST(Smml, OptionsReachTheirTerms) {
  const torch::NoGradGuard no_grad;
  const Batch given = batch({0b0110, 0b1001}, {0b1111, 0b0001});
  const auto value_of = [&](const Json& options, const char* name) {
    Json all = options;
    if (!all.contains("start_epoch")) all["start_epoch"] = 0;
    const auto method = made(all);
    return part(method->loss("train", given, {}), name).item<double>();
  };
  const double pixel = value_of(Json::object(), "model1_pixel");
  EXPECT_NEAR(value_of({{"squared_temperature", true}}, "model1_pixel"), 36 * pixel, 1e-4 * pixel);
  EXPECT_NE(value_of({{"kl", "teacher"}}, "model1_pixel"), pixel);
  EXPECT_GT(value_of({{"temperature", 3}}, "model1_pixel"), pixel);
  EXPECT_NE(value_of({{"pixel_mean", "sample"}}, "model1_pixel"), pixel);
  const double prototype = value_of(Json::object(), "model1_prototype");
  EXPECT_GT(value_of({{"prototype_weights", "sums"}}, "model1_prototype"), 100 * prototype);
  EXPECT_NE(value_of({{"prototype_cells", "area"}}, "model1_prototype"), prototype);
  const double sam = value_of(Json::object(), "model1_sam_cross");
  EXPECT_NE(value_of({{"mask_weights", false}}, "model1_sam_cross"), sam);
  EXPECT_NE(value_of({{"mask_background", "empty"}}, "model1_sam_cross"), sam);
  EXPECT_NE(value_of({{"refined", "logits"}}, "model1_sam_cross"), sam);
  EXPECT_EQ(value_of({{"official", true}}, "model1_sam_cross"),
            value_of({{"refined", "logits"}}, "model1_sam_cross"));
  const auto parts = [&](const Json& options) {
    return made(options)->loss("train", given, {}).parts.size();
  };
  const std::size_t all = parts(Json::object());
  EXPECT_EQ(parts({{"pixel", false}}), all - 2);
  EXPECT_EQ(parts({{"prototype", false}}), all - 2);
  EXPECT_EQ(parts({{"helpers", false}}), all - 8);
  const auto lone = made({{"dual", false}});
  EXPECT_EQ(lone->recipe().draws, 1);
  EXPECT_EQ(lone->stages(10)[0].subsets["policy"], "uniform");
  EXPECT_EQ(lone->loss("train", given, {}).parts.size(), 9u);
}

// A class that no cell of a sample has takes the whole term away with `whole`.
TEST(Smml, AnAbsentClassDropsItsRowOrTheTerm) {
  const torch::NoGradGuard no_grad;
  Batch given = batch({0b0110, 0b1001}, {0b1111, 0b0001});
  given.label = at::where(given.label == 3, at::zeros_like(given.label), given.label);
  const auto value_of = [&](const char* choice) {
    return part(made({{"absent_classes", choice}})->loss("train", given, {}), "model2_prototype")
        .item<double>();
  };
  EXPECT_GT(value_of("dropped"), 0);
  EXPECT_EQ(value_of("whole"), 0);
}

// Of the second sample's case there is no T2 at all.
TEST(Smml, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  const auto method = made();
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch given = batch({0b1111, 0b0111}, {0b0001, 0b0100}, at::kDouble);
  given.available = {0b1111, 0b0111};
  const double before = method->loss("train", given, {}).total.item<double>();
  given.image[1][3].normal_();
  given.extras["sam"][1][3].fill_(0);
  const double after = method->loss("train", given, {}).total.item<double>();
  given.image[1][3].normal_();
  EXPECT_DOUBLE_EQ(method->loss("train", given, {}).total.item<double>(), after);
  given.available.clear();
  EXPECT_GT(std::abs(method->loss("train", given, {}).total.item<double>() - before), 1e-3);
}

TEST(Smml, StatesItsRun) {
  const auto method = made();
  const auto stages = method->stages(100'000);
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].subsets, (Json{{"policy", "distinct"}, {"granularity", "sample"}}));
  const Phase& phase = stages[0].phases.at(0);
  EXPECT_TRUE(phase.joint);
  ASSERT_EQ(phase.trains.size(), 1u);
  EXPECT_TRUE(phase.trains[0].optimizer.amsgrad);
  EXPECT_FALSE(phase.trains[0].optimizer.defined_zero);
  EXPECT_EQ(phase.trains[0].schedule.granularity, 100);
  EXPECT_FALSE(made({{"local_dice", true}})->stages(10)[0].phases[0].joint);
  EXPECT_EQ(method->groups().at(0).parameters.size(), 2u * (348 - 8));
  const data::DataRecipe recipe = method->recipe();
  EXPECT_EQ(recipe.draws, 2);
  EXPECT_EQ(recipe.axes, (data::Axes{1, 2, 0}));
  EXPECT_EQ(recipe.background, data::Background::kNormalised);
  ASSERT_EQ(recipe.label_maps.size(), 1u);
  EXPECT_EQ(recipe.label_maps[0].name, "sam");
  EXPECT_EQ(recipe.label_maps[0].classes, 4);
  EXPECT_TRUE(method->inference().relabelled.empty());
  EXPECT_EQ(made({{"official", true}})->inference().relabelled.at(0).minimum, 500);
}

TEST(Smml, DropoutBelongsToSamplesAndNetworks) {
  const auto method = made({{"local_dice", true}});
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch both = batch({0b0110, 0b1000}, {0b0001, 0b1111}, at::kDouble, false);
  const at::Tensor still = method->loss("train", both, {}).output;
  both.sample_index = {7, 8};
  const at::Tensor output = method->loss("train", both, {}).output;
  EXPECT_GT((output - still).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(at::equal(output, method->loss("train", both, {}).output));
  Batch second;
  second.image = both.image.narrow(0, 1, 1);
  second.label = both.label.narrow(0, 1, 1);
  second.subsets = {{0b1000}, {0b1111}};
  second.sample_index = {8};
  EXPECT_LT((output.narrow(0, 1, 1) - method->loss("train", second, {}).output)
                .abs()
                .max()
                .item<double>(),
            1e-10);
}

TEST(Smml, WeightsComeBackUnderThePublishedNames) {
  const TemporaryDirectory folder;
  const auto one = made();
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& item : one->module().named_parameters()) {
    tensors.emplace_back(item.key(), item.value());
  }
  for (const auto& item : one->module().named_buffers()) {
    tensors.emplace_back(item.key(), item.value());
  }
  write_tensors(folder / "w.safetensors", tensors);
  const auto other = made();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : other->module().parameters()) parameter.zero_();
  EXPECT_EQ(import_weights(*other, folder / "w.safetensors").loaded, 2 * (348 + 21));
  const Batch given = batch({7}, {8});
  EXPECT_TRUE(
      at::equal(one->loss("train", given, {}).total, other->loss("train", given, {}).total));
}

TEST(Smml, NetworksStartDifferently) {
  const auto method = made();
  const auto named = method->module().named_parameters();
  EXPECT_FALSE(at::equal(named["model1.flair_encoder.e1_c1.weight"],
                         named["model2.flair_encoder.e1_c1.weight"]));
  // Convolutions by Kaiming's rule, transposed ones by PyTorch's own, within 1/sqrt(out * 8).
  const at::Tensor& up = named["model1.unet3d.upconv3.weight"];
  EXPECT_LE(up.abs().max().item<double>(),
            1 / std::sqrt(static_cast<double>(up[0].numel())) + 1e-7);
  EXPECT_EQ(named["model1.unet3d.encoder2.1.weight"].min().item<double>(), 1);
}

TEST(Smml, RefusesWhatDoesNotFit) {
  const auto refusal = [](data::Extent patch, const Json& options) {
    try {
      make_method("smml", data::ModalitySet({"FLAIR", "T1"}), 0.1, options, patch);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refusal({80, 84, 80}, Json::object()), ::testing::HasSubstr("80 or 96"));
  EXPECT_THAT(refusal({32, 32, 32}, {{"start_epoch", -1}}), ::testing::HasSubstr("start_epoch"));
  const auto method = made();
  EXPECT_THROW(method->forward(torch::zeros({1, 4, 32, 32, 48}), 1), ConfigError);
}

TEST(Smml, Bfloat16IsNearFloat) {
  const auto method = made(kFromStart);
  const Batch given = batch({0b0111, 0b1010}, {0b0001, 0b1111});
  const Loss wide = method->loss("train", given, {});
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const Loss narrow = method->loss("train", given, {});
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  const double total = wide.total.item<double>();
  EXPECT_NEAR(narrow.total.item<double>(), total, 0.02 * total);
  EXPECT_NE(narrow.total.item<double>(), total);
  narrow.total.backward();
  for (const auto& item : method->module().named_parameters()) {
    const at::Tensor& grad = item.value().grad();
    EXPECT_TRUE(!grad.defined() || grad.isfinite().all().item<bool>()) << item.key();
  }
}

TEST(Smml, ChannelsLastGivesTheSameLoss) {
  const auto method = made(kFromStart);
  method->module().to(at::kDouble);
  Batch given = batch({0b0111, 0b1010}, {0b0001, 0b1111}, at::kDouble);
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
  EXPECT_NEAR(method->loss("train", given, {}).total.item<double>(), plain, 1e-9);
}

}  // namespace
}  // namespace lacuna::methods::smml

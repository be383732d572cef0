// M3AE's numbers that can be worked out by hand: counts, tokens, masks, losses, rates.
#include <cmath>
#include <memory>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/exchange/comparison.h"
#include "methods/m3ae/method.h"

namespace lacuna::methods::m3ae {
namespace {

std::unique_ptr<Method> make(Json options = Json::object(), double width = 0.5,
                             data::Extent substitute = {40, 44, 52}) {
  MethodSettings settings;
  settings.width = width;
  options.update({{"substitute_depth", substitute[0]},
                  {"substitute_height", substitute[1]},
                  {"substitute_width", substitute[2]}});
  settings.options = Schema(binding().declared()).resolve(options, "test");
  settings.patch = data::Extent{32, 16, 48};
  torch::manual_seed(4);
  auto method = std::make_unique<Method>(settings);
  method->initialise();
  return method;
}

std::int64_t count(const torch::nn::Module& module, const std::string& prefix) {
  std::int64_t number = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) number += item.value().numel();
  }
  return number;
}

Batch batch_of(std::int64_t samples, std::vector<std::vector<SubsetMask>> subsets) {
  torch::manual_seed(8);
  Batch batch;
  batch.image = torch::rand({samples, 4, 32, 16, 48});
  batch.label = torch::randint(0, 4, {samples, 32, 16, 48}).to(at::kByte);
  batch.subsets = std::move(subsets);
  batch.origin.assign(static_cast<std::size_t>(samples), {3, 11, 2});
  return batch;
}

// Check 1.
TEST(M3aeCard, ParameterCounts) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve(Json::object(), "test");
  Method method(settings);
  EXPECT_EQ(count(method.module(), "pre.unet."), 4704228);
  EXPECT_EQ(count(method.module(), "seg.unet."), 4704505);
  EXPECT_EQ(count(method.module(), "seg.unet.") - count(method.module(), "seg.unet.ds_out."),
            4704211);
  EXPECT_EQ(count(method.module(), "seg.limage"), 35712000);
  for (const auto& [name, number] : std::map<std::string, std::int64_t>{{"conv1a.", 1744},
                                                                        {"conv1b.", 13920},
                                                                        {"ds1.", 13856},
                                                                        {"conv2b.", 55488},
                                                                        {"ds2.", 55360},
                                                                        {"conv3a.", 221568},
                                                                        {"ds3.", 221312},
                                                                        {"conv4d.", 885504},
                                                                        {"up4conva.", 8256},
                                                                        {"up3conva.", 2080},
                                                                        {"up2conva.", 528},
                                                                        {"up1conv.", 51},
                                                                        {"ds_out.0.", 195},
                                                                        {"ds_out.1.", 99}}) {
    EXPECT_EQ(count(method.module(), "seg.unet." + name), number) << name;
  }
}

// Check 2.
TEST(M3aeCard, ShapesOfTrainingAndEvaluation) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  const at::Tensor x = torch::rand({2, 4, 32, 16, 48});
  const auto out = method->segmenting().forward(x, /*deep=*/true);
  const std::vector<std::int64_t> full{2, 3, 32, 16, 48};
  EXPECT_EQ(out.logit.sizes().vec(), full);
  ASSERT_EQ(out.deep.size(), 2u);
  for (const at::Tensor& each : out.deep) EXPECT_EQ(each.sizes().vec(), full);
  EXPECT_EQ(out.content.sizes().vec(), (std::vector<std::int64_t>{2, 64, 4, 2, 6}));
  EXPECT_TRUE(method->segmenting().forward(x).deep.empty());
}

// Check 3: token ((m a' + a) b' + b) c' + c, here with 8 x 8 x 8 patches a modality.
TEST(M3aeCard, NumbersOfTokens) {
  const at::Tensor numbers = at::arange(2048, at::dtype(at::kFloat));
  const at::Tensor voxels = voxels_of_tokens(numbers, 4, {128, 128, 128});
  ASSERT_EQ(voxels.sizes().vec(), (std::vector<std::int64_t>{4, 128, 128, 128}));
  EXPECT_EQ(voxels[2][3 * 16][4 * 16 + 15][5 * 16 + 7].item<int>(), 1253);
  EXPECT_TRUE(at::equal(at::avg_pool3d(voxels, 16).flatten(), numbers));
}

// Check 4: an eighth of all tokens, whatever is dropped, none of what is; other tokens for other
// samples and steps, the same for the same.
TEST(M3aeCard, PretrainingLeavesAnEighth) {
  const auto method = make();
  Batch batch = batch_of(3, {{0b1111, 0b0100, 0b1001}});
  batch.sample_index = {5, 6, 7};
  const at::Tensor mask = method->visible(batch, {});
  ASSERT_EQ(mask.sizes(), batch.image.sizes());
  const std::int64_t tokens = 4 * 2 * 1 * 3 / 8;  // floor of an eighth of 24
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(mask[n].sum().item<double>(), static_cast<double>(tokens * 4096)) << n;
  }
  // The network's order is T1, T1c, T2, FLAIR; 0b0100 is T1c, 0b1001 is FLAIR and T2.
  EXPECT_EQ(mask[1][1].sum().item<double>(), static_cast<double>(tokens * 4096));
  EXPECT_EQ(mask[2][0].sum().item<double>() + mask[2][1].sum().item<double>(), 0);
  EXPECT_TRUE(at::equal(mask, method->visible(batch, {})));
  Batch alone = batch_of(1, {{0b0100}});
  alone.sample_index = {6};
  EXPECT_TRUE(at::equal(method->visible(alone, {})[0], mask[1]));
  batch.sample_index = {15, 16, 17};
  EXPECT_FALSE(at::equal(mask, method->visible(batch, {})));
}

// Checks 5 and 6.
TEST(M3aeCard, TheSubstituteStandsWhereNothingIs) {
  const torch::NoGradGuard no_grad;
  const auto method = make();
  at::Tensor image = torch::rand({1, 4, 32, 16, 48});
  const WindowPlace place{.corner = {3, 11, 2}};
  const at::Tensor full = method->decode(method->encode_at(image, place), {0b1111})[0];
  at::Tensor ordered = at::cat({image.narrow(1, 1, 3), image.narrow(1, 0, 1)}, 1);
  EXPECT_TRUE(at::equal(full, method->segmenting().forward(ordered).logit));

  const at::Tensor part =
      method->segmenting().limage.slice(2, 3, 35).slice(3, 11, 27).slice(4, 2, 50);
  const at::Tensor t1 = at::cat({image.narrow(1, 1, 1), part.narrow(1, 1, 3)}, 1);
  const at::Tensor single = method->decode(method->encode_at(image, place), {0b0010})[0];
  EXPECT_TRUE(at::equal(single, method->segmenting().forward(t1).logit));
  image.select(1, 0).fill_(std::nan(""));
  image.narrow(1, 2, 2).fill_(1e9);
  EXPECT_TRUE(at::equal(single, method->decode(method->encode_at(image, place), {0b0010})[0]));
  EXPECT_FALSE(at::equal(single, method->forward(image, 0b0010)));  // in the volume's corner
}

// Outside of the substitute image its mean stands in, on either side.
TEST(M3aeCard, TheSubstituteEndsInItsMean) {
  const at::Tensor image = torch::rand({1, 2, 5, 6, 7});
  const at::Tensor mean = image[0].mean({1, 2, 3});
  const at::Tensor part = Network::cut(image, {-2, 1, 5}, {4, 3, 4});
  ASSERT_EQ(part.sizes().vec(), (std::vector<std::int64_t>{2, 4, 3, 4}));
  EXPECT_TRUE(at::equal(part.slice(1, 2, 4).slice(3, 0, 2),
                        image[0].slice(1, 0, 2).slice(2, 1, 4).slice(3, 5, 7)));
  for (int m = 0; m < 2; ++m) {
    EXPECT_EQ(part[m][0][0][0].item<float>(), mean[m].item<float>());
    EXPECT_EQ(part[m][3][2][3].item<float>(), mean[m].item<float>());
  }
  EXPECT_TRUE(at::equal(Network::cut(image, {9, 0, 0}, {2, 2, 2})[1], mean[1].expand({2, 2, 2})));
}

// Check 7.
TEST(M3aeCard, RegionErrorByHand) {
  const at::Tensor logits = torch::zeros({1, 3, 2, 2, 2});
  at::Tensor target = torch::zeros({1, 3, 2, 2, 2});
  target.select(2, 0).select(2, 0).fill_(1);
  EXPECT_NEAR(region_error(logits, target, 1).item<double>(), 0.4879442, 1e-6);
  // Two copies: sums over both, 1 - (2 * 2 + 1) / (4 + 4 + 1).
  const at::Tensor two = torch::zeros({2, 3, 2, 2, 2});
  EXPECT_NEAR(region_error(two, target, 2).item<double>(),
              0.7 * (1 - 5.0 / 9) + 0.3 * std::log(2.0), 1e-6);
}

// Check 8.
TEST(M3aeCard, EqualDropsAgree) {
  const auto method = make();
  const auto consistency = [&](SubsetMask a, SubsetMask b) {
    Batch batch = batch_of(1, {{a}, {b}});
    batch.sample_index = {3};
    return method->loss("finetune", batch, {}).parts.back().second.item<double>();
  };
  EXPECT_NEAR(consistency(0b0110, 0b0110), 0, 1e-12);
  EXPECT_GT(consistency(0b0110, 0b1001), 1e-6);
}

// Check 9.
TEST(M3aeCard, RatesFollowACosine) {
  const auto stages = make()->stages(128112);
  const std::int64_t first = stages.at(0).steps, rest = stages.at(1).steps;
  EXPECT_NEAR(static_cast<double>(first) / 128112, 0.534, 1e-3);
  EXPECT_EQ(first + rest, 128112);
  const auto rate = [](const TrainedGroup& group, std::int64_t step) {
    EXPECT_EQ(group.schedule.kind, ScheduleSpec::Kind::kCosine);
    const std::int64_t held = group.schedule.granularity;  // an epoch
    const double done =
        static_cast<double>(step / held * held) / static_cast<double>(group.schedule.horizon);
    return group.optimizer.learning_rate * 0.5 * (1 + std::cos(std::acos(-1) * done));
  };
  const TrainedGroup& substitute = stages[0].phases[0].trains.at(1);
  EXPECT_EQ(substitute.group, "substitute");
  EXPECT_NEAR(rate(substitute, first / 2), 2.5e-3, 1e-5);
  const TrainedGroup& seg = stages[1].phases[0].trains.at(0);
  EXPECT_EQ(seg.optimizer.weight_decay, 1e-4);
  EXPECT_NEAR(rate(seg, 0), 3e-4, 1e-12);
  EXPECT_NEAR(rate(seg, rest / 2), 1.5e-4, 1e-10);
  EXPECT_NEAR(rate(seg, rest - 1), 8.2e-9, 1e-10);
  EXPECT_EQ(make({{"pretraining", false}})->stages(50).size(), 1u);
}

// Check 10: what the policy of both stages draws is tested where policies are; it is this one.
TEST(M3aeCard, TheSizeOfASubsetIsDrawnFirst) {
  const auto method = make();
  for (const Stage& stage : method->stages(10)) {
    EXPECT_EQ(stage.subsets["policy"], "cardinality");
    EXPECT_EQ(stage.subsets["granularity"], "sample");
  }
  EXPECT_EQ(method->recipe().draws, 2);
  EXPECT_EQ(method->recipe().normalisation, data::Normalisation::kPercentile);  // check 11
  EXPECT_EQ(method->recipe().background, data::Background::kZero);
}

// Check 12.
TEST(M3aeCard, SegmentationStartsFromPretraining) {
  const auto method = make();
  std::map<std::string, at::Tensor> before;
  for (const auto& item : method->segmenting().named_parameters()) {
    before[item.key()] = item.value().detach().clone();
  }
  method->begin_stage(0);
  method->begin_stage(1);
  const auto pre = method->rebuilding().named_parameters();
  std::set<std::string> fresh;
  for (const auto& item : method->segmenting().named_parameters()) {
    const at::Tensor* learnt = pre.find(item.key());
    if (learnt == nullptr || !at::equal(*learnt, item.value())) fresh.insert(item.key());
    if (fresh.contains(item.key())) {
      EXPECT_TRUE(at::equal(item.value(), before.at(item.key())));
    }
  }
  EXPECT_EQ(fresh, (std::set<std::string>{"unet.up1conv.weight", "unet.up1conv.bias",
                                          "unet.ds_out.0.weight", "unet.ds_out.0.bias",
                                          "unet.ds_out.1.weight", "unet.ds_out.1.bias"}));
  const Comparison result =
      compare_phase(*method, "finetune", batch_of(1, {{0b0001}, {0b1110}}), {});
  for (const auto& [name, norm] : result.gradients) {
    EXPECT_EQ(norm.has_value(), name.starts_with("seg.unet.")) << name;
  }
}

}  // namespace
}  // namespace lacuna::methods::m3ae

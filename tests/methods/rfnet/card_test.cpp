// The checks of the RFNet card, section 10, that need no published weights (those of numbers that
// the vectors hold are in parity_test.cpp; of the losses in tests/losses/class_losses_test.cpp; of
// the learning rate in tests/worker/state/schedule_test.cpp; of windows in tests/evaluation).
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/rfnet/method.h"

namespace lacuna::methods::rfnet {
namespace {

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

// Check 1.
TEST(RfnetCardParameters, AreThoseOfThePaper) {
  const std::vector<std::string> names = {"FLAIR", "T1c", "T1", "T2"};
  const Network four({.modalities = names, .classes = 4});
  EXPECT_EQ(count(four), 8'984'960);
  EXPECT_EQ(four.named_parameters().size(), 288u);
  EXPECT_TRUE(four.named_buffers().is_empty());
  EXPECT_EQ(count(four, "t1ce_encoder."), 1'466'496);
  EXPECT_EQ(count(four, "decoder_sep."), 586'388);
  EXPECT_EQ(count(four, "decoder_fuse.RFM1."), 52'064);
  EXPECT_EQ(count(four, "decoder_fuse.RFM4."), 1'298'064);
  EXPECT_EQ(count(four, "decoder_fuse.prm_generator1."), 1'372);
  EXPECT_EQ(count(Network({.modalities = names, .classes = 5})), 9'132'790);
}

// A narrow network in double with random weights.
class RfnetCard : public ::testing::Test {
 protected:
  static Method made(Json options = Json::object()) {
    torch::manual_seed(4);
    MethodSettings settings;
    settings.width = 0.25;
    settings.options = Schema(binding().declared()).resolve(options, "test");
    Method method(settings);
    method.initialise();
    method.module().to(at::kDouble);
    return method;
  }
  static Batch batch(std::vector<SubsetMask> subsets) {
    torch::manual_seed(5);
    const auto samples = static_cast<std::int64_t>(subsets.size());
    Batch made;
    made.image = torch::randn({samples, 4, 16, 24, 32}, at::kDouble);
    made.label = torch::randint(0, 4, {samples, 16, 24, 32}).to(at::kByte);
    made.subsets = {std::move(subsets)};
    return made;
  }
};

constexpr Progress kPastWarmUp{.steps = 300, .stage_step = 100};

// Check 2.
TEST_F(RfnetCard, EveryOutputHasTheInputsExtentAndSumsToOne) {
  Method method = made();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = batch({15}).image;
  std::vector<Levels> features;
  for (int m = 0; m < 4; ++m) features.push_back(method.network().encode(image.narrow(1, m, 1), m));
  const auto out = method.network().decode(features, at::ones({1, 4}, at::kDouble));
  std::vector<at::Tensor> all = {out.logits.softmax(1)};
  for (const Levels& own : features) all.push_back(method.network().separate(own).softmax(1));
  for (std::size_t l = 0; l < 4; ++l) {
    all.push_back(models::enlarge(out.maps[l], std::int64_t{1} << l));
  }
  EXPECT_EQ(all.size(), 9u);
  for (const at::Tensor& each : all) {
    EXPECT_EQ(each.sizes(), (at::IntArrayRef{1, 4, 16, 24, 32}));
    EXPECT_LT((each.sum(1) - 1).abs().max().item<double>(), 1e-5);
  }
}

// Check 3: mean prm 0.5, descriptor (1 * 0.8 + 3 * 0.2) / 2 / 0.5 = 1.4.
TEST_F(RfnetCard, TheDescriptorIsTheWeightedMeanOfTheRegion) {
  const at::Tensor y = torch::tensor({1.0, 3.0}, at::kDouble).view({1, 1, 1, 1, 1, 2});
  const at::Tensor prm = torch::tensor({0.8, 0.2}, at::kDouble).view({1, 1, 1, 1, 2});
  const at::Tensor found = RegionFusion::descriptors(y, prm);
  ASSERT_EQ(found.sizes(), (at::IntArrayRef{1, 1, 2}));
  EXPECT_NEAR(found[0][0][0].item<double>(), 1.4, 1e-6);
  EXPECT_NEAR(found[0][0][1].item<double>(), 0.5 + 1e-7, 1e-15);
}

// Check 4.
TEST_F(RfnetCard, WithoutWeightsEveryModalityCountsHalf) {
  torch::manual_seed(1);
  const torch::NoGradGuard no_grad;
  RegionFusion fusion(4, 4, 8, 3, {});
  fusion.to(at::kDouble);
  const at::Tensor y = torch::randn({2, 4, 4, 2, 3, 2}, at::kDouble);
  const at::Tensor prm = torch::randn({2, 3, 2, 3, 2}, at::kDouble).softmax(1);
  const at::Tensor weights = fusion.weights(RegionFusion::descriptors(y, prm));
  EXPECT_TRUE(at::allclose(weights, at::full({2, 3, 4}, 0.5, at::kDouble)));
  const at::Tensor fused = RegionFusion::fused(y, prm, weights);
  ASSERT_EQ(fused.sizes(), (at::IntArrayRef{2, 12, 2, 3, 2}));
  for (int i = 0; i < 3; ++i) {
    const at::Tensor expected = 0.5 * (y * prm.narrow(1, i, 1).unsqueeze(2)).sum(1);
    EXPECT_TRUE(at::allclose(fused.narrow(1, 4 * i, 4), expected));
  }
  auto parameters = fusion.named_parameters();
  for (int i = 0; i < 3; ++i) {
    parameters["modal_fusion." + std::to_string(i) + ".weight_layer.2.bias"][3] = 100;
  }
  EXPECT_NEAR(fusion.weights(RegionFusion::descriptors(y, prm)).select(2, 3).min().item<double>(),
              1, 1e-12);
}

// Check 8.
TEST_F(RfnetCard, AMissingModalityChangesNothingButTrainsItsEncoder) {
  Method method = made();
  Batch given = batch({0b0101});
  {
    const torch::NoGradGuard no_grad;
    at::Tensor noise = given.image.clone();
    noise.select(1, 1).normal_();
    noise.select(1, 3).normal_();
    EXPECT_TRUE(at::equal(method.forward(given.image, 0b0101), method.forward(noise, 0b0101)));
    const at::Tensor one = method.loss("train", given, kPastWarmUp).output;
    given.image = noise;
    EXPECT_TRUE(at::equal(one, method.loss("train", given, kPastWarmUp).output));
  }
  const Loss loss = method.loss("train", given, kPastWarmUp);
  const auto norm_of = [&](const char* encoder) {
    double norm = 0;
    for (const auto& item : method.module().named_parameters()) {
      if (item.key().starts_with(encoder) && item.value().grad().defined()) {
        norm += item.value().grad().norm().item<double>();
      }
    }
    return norm;
  };
  loss.parts[0].second.backward({}, /*keep_graph=*/true);  // fuse_cross
  EXPECT_EQ(norm_of("t1_encoder."), 0);
  EXPECT_GT(norm_of("t1ce_encoder."), 1e-6);
  loss.parts[2].second.backward();  // sep_cross
  EXPECT_GT(norm_of("t1_encoder."), 1e-6);
}

// Check 9: maps gate without gradient; generators learn from their own losses alone. Their
// embeddings see the encoders, so those do get one from there.
TEST_F(RfnetCard, TheFusedOutputTeachesNoGenerator) {
  Method method = made();
  const Loss loss = method.loss("train", batch({0b1111, 0b0010}), kPastWarmUp);
  const auto parameters = method.module().named_parameters();
  (loss.parts[0].second + loss.parts[1].second).backward({}, /*keep_graph=*/true);
  int seen = 0;
  for (const auto& item : parameters) {
    if (!item.key().starts_with("decoder_fuse.prm_generator")) continue;
    // The Dice sums of all outputs travel together, which makes zeros of nothing.
    const at::Tensor& grad = item.value().grad();
    EXPECT_TRUE(!grad.defined() || grad.abs().max().item<double>() == 0) << item.key();
    ++seen;
  }
  EXPECT_GT(seen, 30);
  (loss.parts[4].second + loss.parts[5].second).backward();
  EXPECT_GT(
      parameters["decoder_fuse.prm_generator4.prm_layer.1.weight"].grad().norm().item<double>(), 0);
}

// Check 10, with the option that leaves the loss out: no gradient at all.
TEST_F(RfnetCard, AWarmUpThatSkipsLeavesNoGradient) {
  Method method = made({{"warm_up_skip", true}});
  method.loss("train", batch({15}), {.steps = 300, .stage_step = 19}).total.backward();
  const auto parameters = method.module().named_parameters();
  EXPECT_FALSE(parameters["decoder_fuse.seg_layer.weight"].grad().defined());
  method.loss("train", batch({15}), {.steps = 300, .stage_step = 20}).total.backward();
  EXPECT_TRUE(parameters["decoder_fuse.seg_layer.weight"].grad().defined());
}

}  // namespace
}  // namespace lacuna::methods::rfnet

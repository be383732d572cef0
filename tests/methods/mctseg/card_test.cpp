// The checks of the MCTSeg card, section 10, that need no published weights (of the learning rate
// in tests/worker/state/schedule_test.cpp).
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/mctseg/method.h"

namespace lacuna::methods::mctseg {
namespace {

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = {"FLAIR", "T1c", "T1", "T2"};
  return all;
}

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

// Check 1. Of the published 40,006,244 numbers 1,684,236 never run, and 1,048,576 are positions,
// always 0.
TEST(MctsegCard, ParametersAreThoseOfTheCode) {
  const Network network({.modalities = names()});
  EXPECT_EQ(count(network), 40'006'244 - 1'684'236 - 1'048'576);
  EXPECT_EQ(count(network, "t1ce_encoder."), 1'473'216);
  EXPECT_EQ(count(network, "all_encoder."), 1'473'864);
  EXPECT_EQ(count(network, "decoder_sep."), 593'356);
  EXPECT_EQ(count(network, "decoder_fuse."), 1'293'444);
  EXPECT_EQ(count(network, "cmf."), 6'409'280);
  const std::string attention = "t2_trans.cross_attention_list.0.fn.";
  EXPECT_EQ(count(network, attention + "fn1."), 1'049'088);
  EXPECT_EQ(count(network, attention + "fn2."), 10'448);
  EXPECT_EQ(count(network, "t2_trans.cross_ffn_list.0.fn.fn1."), 4'198'912);
  // Without the third adapter, which the published code stores and never runs.
  EXPECT_EQ(count(network, "t2_trans."), 5'281'392 - 10'448);
  const Network learnt({.modalities = names(), .positions = true});
  EXPECT_EQ(count(learnt) - count(network), 1'048'576);
}

std::shared_ptr<Network> narrow() {
  torch::manual_seed(3);
  auto network = std::make_shared<Network>(
      Shape{.modalities = names(), .width = 0.0625, .extent = {32, 48, 32}});
  network->initialise();
  network->to(at::kDouble);
  return network;
}

// Check 2.
TEST(MctsegCard, OutputsHaveTheirShapes) {
  const auto made = narrow();
  Network& network = *made;
  const torch::NoGradGuard no_grad;
  const at::Tensor image = torch::randn({2, 4, 32, 48, 32}, at::kDouble);
  std::vector<models::Contribution> given;
  for (std::size_t m = 0; m < 4; ++m) {
    const auto one = network.encode(image.narrow(1, static_cast<std::int64_t>(m), 1), m, {});
    EXPECT_EQ(one.levels.back().sizes(), (at::IntArrayRef{2, 8, 2, 3, 2}));  // 128 at width 1
    EXPECT_EQ(one.tokens.sizes(), (at::IntArrayRef{2, 12, 32}));             // 512 at width 1
    EXPECT_EQ(network.separate(one, m).sizes(), (at::IntArrayRef{2, 4, 32, 48, 32}));
    given.push_back(network.contribution(one, m));
  }
  const auto out = network.decode(given, {}, /*deep=*/true, {});
  EXPECT_EQ(out.logits.sizes(), (at::IntArrayRef{2, 4, 32, 48, 32}));
  ASSERT_EQ(out.deep.size(), 4u);
  EXPECT_EQ(out.deep[3].sizes(), (at::IntArrayRef{2, 4, 2, 3, 2}));
  EXPECT_EQ(network.separate_all(network.encode_all(image)).sizes(),
            (at::IntArrayRef{2, 4, 32, 48, 32}));
}

// Check 3.
TEST(MctsegCard, AdaptersGiveNothingAtTheStart) {
  ConvAdapter adapter(32, 8, 32, 0.1);
  torch::manual_seed(1);
  for (auto& parameter : adapter.parameters()) {
    const torch::NoGradGuard no_grad;
    parameter.normal_();
  }
  const at::Tensor tokens = torch::randn({2, 12, 32});
  EXPECT_GT(adapter.forward(tokens, {2, 3, 2}, {}).abs().sum().item<double>(), 1);
  adapter.initialise();
  EXPECT_EQ(adapter.forward(tokens, {2, 3, 2}, {}).abs().sum().item<double>(), 0);
  const double bound = std::sqrt(6.0 / 40);
  const at::Tensor down = adapter.named_parameters()["adapter_down.weight"].abs().max();
  EXPECT_LE(down.item<double>(), bound + 1e-6);
  EXPECT_GT(down.item<double>(), 0.9 * bound);
}

// Check 4.
TEST(MctsegCard, QuickGeluHasItsValues) {
  const at::Tensor x = torch::tensor({1., 0.}, at::kDouble);
  EXPECT_NEAR(ConvAdapter::quick_gelu(x)[0].item<double>(), 0.8457958, 1e-7);
  EXPECT_EQ(ConvAdapter::quick_gelu(x)[1].item<double>(), 0);
}

// Check 5: channel c of voxel v is feature c mod width of token 4 v + floor(c / width).
TEST(MctsegCard, TheFusionsTokensAreReadAsVoxels) {
  const std::int64_t width = 8, voxels = 12;
  const at::Tensor tokens =
      torch::arange(4 * voxels * width, at::kDouble).view({1, 4 * voxels, width});
  const at::Tensor map = models::map_of_modalities(tokens, 4, {2, 3, 2}, /*aligned=*/false);
  ASSERT_EQ(map.sizes(), (at::IntArrayRef{1, 4 * width, 2, 3, 2}));
  const at::Tensor rows = map.flatten(2)[0];
  for (const std::int64_t v : {0, 5, 11}) {
    for (const std::int64_t c : {0, 7, 8, 31}) {
      EXPECT_EQ(rows[c][v].item<double>(), (4 * v + c / width) * width + c % width);
    }
  }
  const at::Tensor aligned = models::map_of_modalities(tokens, 4, {2, 3, 2}, /*aligned=*/true);
  // Modality 2 of voxel 5: its token 5.
  EXPECT_EQ(aligned.flatten(2)[0][2 * width][5].item<double>(), (2 * voxels + 5) * width);
}

// Check 7, the network's own mask: what it hides changes nothing.
TEST(MctsegCard, AnAbsentImageDoesNotInfluenceTheFusedOutput) {
  const auto made = narrow();
  Network& network = *made;
  const torch::NoGradGuard no_grad;
  const at::Tensor image = torch::randn({1, 4, 32, 48, 32}, at::kDouble);
  const at::Tensor mask = torch::tensor({1., 0., 1., 0.}, at::kDouble).view({1, 4});
  const auto fused = [&](const at::Tensor& x) {
    std::vector<models::Contribution> given;
    for (std::size_t m = 0; m < 4; ++m) {
      const at::Tensor one = x.narrow(1, static_cast<std::int64_t>(m), 1);
      given.push_back(network.contribution(network.encode(one, m, {}), m));
    }
    return network.decode(given, mask, /*deep=*/false, {}).logits;
  };
  at::Tensor other = image.clone();
  other.select(1, 1).normal_();
  other.select(1, 3).normal_();
  EXPECT_TRUE(at::equal(fused(image), fused(other)));
  other.select(1, 2).normal_();
  EXPECT_FALSE(at::equal(fused(image), fused(other)));
}

// Check 8, and the sums by hand.
TEST(MctsegCard, TheDistanceOfEqualFeaturesIsZero) {
  torch::manual_seed(2);
  std::vector<at::Tensor> teacher;
  for (int level = 0; level < 5; ++level) teacher.push_back(torch::randn({2, 3, 2, 2, 1}));
  EXPECT_EQ(feature_distance(teacher, {teacher, teacher, teacher, teacher}, {}).item<double>(), 0);
  std::vector<at::Tensor> moved = teacher;
  moved[0] = moved[0] + 5;  // not compared
  moved[2] = moved[2] + 1;
  moved[4] = moved[4] - 0.5;
  EXPECT_NEAR(feature_distance(teacher, {teacher, moved, teacher, moved}, {}).item<double>(),
              2 * 1.5, 1e-6);
  const at::Tensor included = torch::tensor({1.f, 1.f, 1.f, 1.f, 1.f, 0.f, 1.f, 1.f}).view({2, 4});
  EXPECT_NEAR(feature_distance(teacher, {teacher, moved, teacher, moved}, included).item<double>(),
              1.5 / 2 + 1.5, 1e-6);
}

}  // namespace
}  // namespace lacuna::methods::mctseg

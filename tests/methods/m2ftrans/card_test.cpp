// The checks of the M2FTrans card, section 10, that need no published weights (numbers that the
// vectors hold are in parity_test.cpp; the learning rate in tests/worker/state/schedule_test.cpp;
// HD95 in tests/evaluation).
#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/m2ftrans/method.h"
#include "tests/methods/brain_box_checks.h"

namespace lacuna::methods::m2ftrans {
namespace {

const BrainBoxExample kExample{.name = "m2ftrans", .patch = {32, 48, 32}};
constexpr std::int64_t kPlaces = 12;  // 2 x 3 x 2

std::int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    if (item.key().starts_with(prefix)) total += item.value().numel();
  }
  return total;
}

// Check 1.
TEST(M2ftransCardParameters, AreThoseOfTheTwoPublishedVersions) {
  const std::vector<std::string> names = {"FLAIR", "T1c", "T1", "T2"};
  const Network first({.modalities = names});
  EXPECT_EQ(count(first), 45'429'660);
  EXPECT_EQ(first.named_parameters().size(), 801u);
  EXPECT_TRUE(first.named_buffers().is_empty());
  EXPECT_EQ(count(first, "decoder_fusion.CT5."), 4'731'136);
  EXPECT_EQ(count(first, "decoder_fusion.CT4."), 1'316'992);
  EXPECT_EQ(count(first, "decoder_fusion.CT4.layers.1.cross_attn.query_map."), 37'376);
  EXPECT_EQ(count(first, "decoder_fusion.CT4.layers.0.ffn2."), 189'824);
  EXPECT_EQ(count(first, "Bottleneck."), 7'094'784);
  EXPECT_EQ(count(first, "decoder_fusion.RFM1."), 8'240);
  EXPECT_EQ(count(first, "decoder_fusion.prm_fusion5."), 4'180);
  EXPECT_EQ(count(Network({.modalities = names, .width = 0.5, .extent = {128, 128, 128}})),
            13'489'820);
}

class M2ftransCard : public ::testing::Test {
 protected:
  M2ftransCard()
      : made_(kExample.made_in_double()),
        method_(dynamic_cast<Method&>(*made_)),
        network_(method_.network()),
        batch_(kExample.batch({0b1111, 0b1111}, at::kDouble)) {
    for (int m = 0; m < 4; ++m) {
      levels_.push_back(network_.levels(batch_.image.narrow(1, m, 1), m));
    }
  }
  static at::Tensor mask() { return at::tensor({1, 0, 0, 1, 1, 1, 1, 1}).view({2, 4}); }

  const torch::NoGradGuard no_grad_;
  std::unique_ptr<methods::Method> made_;
  Method& method_;
  Network& network_;
  Batch batch_;
  std::vector<std::vector<at::Tensor>> levels_;
};

// Check 2.
TEST_F(M2ftransCard, EveryOutputHasTheInputsExtentAndSumsToOne) {
  const auto out = network_.decode(network_.encode(levels_, {}), {true, true, true, true}, mask(),
                                   /*maps=*/true, {});
  std::vector<at::Tensor> all = {out.logits.softmax(1)};
  for (const auto& own : levels_) all.push_back(network_.separate(own).softmax(1));
  for (std::size_t l = 0; l < out.maps.size(); ++l) {
    all.push_back(models::enlarge(out.maps[l], std::int64_t{1} << l));
  }
  EXPECT_EQ(all.size(), 10u);
  for (const at::Tensor& each : all) {
    EXPECT_EQ(each.sizes(), (at::IntArrayRef{2, 4, 32, 48, 32}));
    EXPECT_LT((each.sum(1) - 1).abs().max().item<double>(), 1e-12);
  }
}

// Checks 3 and 5: the columns that a fusion token sees, and that they sum to one.
TEST_F(M2ftransCard, FusionTokensSeeWhatIsThere) {
  const at::Tensor attention = network_.attention(network_.encode(levels_, {}), mask());
  ASSERT_EQ(attention.sizes(), (at::IntArrayRef{2, 8, kPlaces, 5 * kPlaces}));
  const at::Tensor seen = (attention > 0).sum(-1);
  EXPECT_TRUE((seen[0] == 3 * kPlaces).all().item<bool>());
  EXPECT_TRUE((seen[1] == 5 * kPlaces).all().item<bool>());
  const at::Tensor places = Network::place_weights(attention);
  ASSERT_EQ(places.sizes(), (at::IntArrayRef{2, 4, kPlaces}));
  EXPECT_EQ(places[0][1].abs().max().item<double>(), 0);
  const at::Tensor self = attention.narrow(3, 0, kPlaces).sum({1, 2, 3});
  EXPECT_LT((places.sum({1, 2}) + self - 8 * kPlaces).abs().max().item<double>(), 1e-10);
}

// Check 3, the rows of modalities: what one computes depends on it alone.
TEST_F(M2ftransCard, ModalitiesSeeThemselves) {
  const at::Tensor before = network_.encode(levels_, {}).deepest.tokens;
  levels_[1].back().normal_();
  const at::Tensor changed =
      (network_.encode(levels_, {}).deepest.tokens - before).abs().amax({0, 2, 3});
  for (int m = 0; m < 4; ++m) EXPECT_EQ(changed[m].item<double>() > 0, m == 1) << m;
}

// Check 4.
TEST_F(M2ftransCard, EvenAttentionWeightsByHowManyThereAre) {
  for (auto& item : network_.named_parameters()) {
    if (item.key().ends_with("qkv.weight")) item.value().zero_();
  }
  const at::Tensor places =
      Network::place_weights(network_.attention(network_.encode(levels_, {}), mask()));
  for (const int m : {0, 3}) {
    EXPECT_LT((places[0][m] - 8.0 / 3).abs().max().item<double>(), 1e-12);
  }
  for (const int m : {1, 2}) EXPECT_EQ(places[0][m].abs().max().item<double>(), 0);
  EXPECT_LT((places[1] - 1.6).abs().max().item<double>(), 1e-12);
}

// Check 6: three channels of each of four modalities.
TEST_F(M2ftransCard, ChannelsOfWhatIsMissingAreNotAttendedTo) {
  const at::Tensor query = torch::randn({2, 12, 3}, at::kDouble);
  const at::Tensor key = torch::randn({2, 12, 12}, at::kDouble);
  const at::Tensor forbidden = (mask() == 0).repeat_interleave(3, 1).unsqueeze(1);
  const at::Tensor weights = ChannelFusion::weights(query, key, forbidden);
  ASSERT_EQ(weights.sizes(), (at::IntArrayRef{2, 3, 12}));
  EXPECT_LT((weights.sum(-1) - 1).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(weights[0].narrow(1, 3, 6).abs().max().item<double>(), 0);
  // By hand: exp(q . k / sqrt(12)) over all that is there.
  const at::Tensor scores = at::matmul(query[0].t(), key[0]).div(std::sqrt(12.0)).exp();
  const at::Tensor there = at::cat({scores.narrow(1, 0, 3), scores.narrow(1, 9, 3)}, 1);
  EXPECT_NEAR(weights[0][1][10].item<double>(), (scores[1][10] / there[1].sum()).item<double>(),
              1e-12);
}

// Check 8.
TEST_F(M2ftransCard, AMissingModalityChangesNothingButTrainsItsEncoder) {
  Batch given = batch_;
  given.subsets = {{0b0101, 0b0101}};
  const Loss before = method_.loss("train", given, {});
  given.image = batch_.image.clone();
  given.image.select(1, 1).normal_();
  given.image.select(1, 3).normal_();
  const Loss after = method_.loss("train", given, {});
  EXPECT_TRUE(at::equal(before.output, after.output));
  EXPECT_TRUE(
      at::equal(method_.forward(batch_.image, 0b0101), method_.forward(given.image, 0b0101)));
  const auto separate = [](const Loss& loss) {
    for (const auto& [name, value] : loss.parts) {
      if (name == "sep_cross") return value.item<double>();
    }
    return 0.0;
  };
  EXPECT_GT(std::abs(separate(before) - separate(after)), 1e-6);
}

}  // namespace
}  // namespace lacuna::methods::m2ftrans

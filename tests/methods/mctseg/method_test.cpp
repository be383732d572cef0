// MCTSeg as the rest of Lacuna uses it: stages, evaluation, dropout, cases that lack a modality,
// refusals.
#include "methods/mctseg/method.h"

#include "tests/methods/brain_box_checks.h"

namespace lacuna::methods::mctseg {
namespace {

const BrainBoxExample kExample{.name = "mctseg", .patch = {32, 48, 32}};

TEST(Mctseg, EncodesOnceForAllSubsets) { expect_encodes_once(kExample); }

TEST(Mctseg, SubsetsBelongToSamples) { expect_subsets_of_samples(kExample); }

TEST(Mctseg, TakesModalitiesInTheCohortsOrder) { expect_takes_any_order(kExample); }

TEST(Mctseg, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  expect_leaves_out_what_a_case_lacks(kExample, "t2_encoder.e1_c1.weight");
}

TEST(Mctseg, StatesItsRun) { expect_states_its_run(kExample, 190'000, 190, 367); }

TEST(Mctseg, DropoutBelongsToSamples) {
  expect_dropout_of_samples(kExample, {{"local_dice", true}});
}

TEST(Mctseg, StatesItsData) { expect_states_its_data(kExample); }

TEST(Mctseg, WeightsComeBackUnderThePublishedNames) { expect_weights_come_back(kExample, 367); }

TEST(Mctseg, RefusesOtherExtents) {
  EXPECT_THAT(brain_box_refusal(kExample, {80, 84, 80}), ::testing::HasSubstr("80 or 96"));
  EXPECT_THAT(brain_box_refusal(kExample, {16, 80, 80}), ::testing::HasSubstr("nearest for D: 32"));
  EXPECT_THROW(kExample.made()->forward(torch::zeros({1, 4, 32, 32, 48}), 1), ConfigError);
}

// bf16 autocast: numbers near those of float.
TEST(Mctseg, Bfloat16IsNearFloat) {
  const auto method = kExample.made();
  const Batch given = kExample.batch({0b0111, 0b1010});
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

TEST(Mctseg, ChannelsLastGivesTheSameLoss) { expect_channels_last_gives_the_same(kExample); }

}  // namespace
}  // namespace lacuna::methods::mctseg

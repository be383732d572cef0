// mmFormer as the rest of Lacuna uses it: stages, evaluation, dropout, cases that lack a modality,
// refusals.
#include "methods/mmformer/method.h"

#include "tests/methods/brain_box_checks.h"

namespace lacuna::methods::mmformer {
namespace {

const BrainBoxExample kExample{.name = "mmformer", .patch = {32, 48, 32}};

TEST(Mmformer, EncodesOnceForAllSubsets) { expect_encodes_once(kExample); }

TEST(Mmformer, SubsetsBelongToSamples) { expect_subsets_of_samples(kExample); }

TEST(Mmformer, TakesModalitiesInTheCohortsOrder) { expect_takes_any_order(kExample); }

TEST(Mmformer, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  expect_leaves_out_what_a_case_lacks(kExample, "t2_encoder.e1_c1.weight");
}

TEST(Mmformer, StatesItsRun) { expect_states_its_run(kExample, 24'000, 24, 279); }

TEST(Mmformer, DropoutBelongsToSamples) {
  expect_dropout_of_samples(kExample, {{"local_dice", true}});
}

TEST(Mmformer, StatesItsData) { expect_states_its_data(kExample); }

TEST(Mmformer, WeightsComeBackUnderThePublishedNames) { expect_weights_come_back(kExample, 287); }

TEST(Mmformer, RefusesWhatItsBordersCannotMirror) {
  EXPECT_THAT(brain_box_refusal(kExample, {80, 84, 80}), ::testing::HasSubstr("80 or 96"));
  EXPECT_THAT(brain_box_refusal(kExample, {16, 80, 80}), ::testing::HasSubstr("nearest for D: 32"));
  EXPECT_THROW(kExample.made()->forward(torch::zeros({1, 4, 32, 32, 48}), 1), ConfigError);
}

TEST(Mmformer, Bfloat16IsNearFloat) { expect_bfloat16_near_float(kExample); }

TEST(Mmformer, ChannelsLastGivesTheSameLoss) { expect_channels_last_gives_the_same(kExample); }

}  // namespace
}  // namespace lacuna::methods::mmformer

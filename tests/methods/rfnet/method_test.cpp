// RFNet as the rest of Lacuna uses it: stages, evaluation, cases that lack a modality, refusals.
#include "methods/rfnet/method.h"

#include "tests/methods/brain_box_checks.h"

namespace lacuna::methods::rfnet {
namespace {

const BrainBoxExample kExample{
    .name = "rfnet", .patch = {16, 24, 32}, .progress = {.steps = 300, .stage_step = 100}};

TEST(Rfnet, EncodesOnceForAllSubsets) { expect_encodes_once(kExample); }

TEST(Rfnet, SubsetsBelongToSamples) { expect_subsets_of_samples(kExample); }

TEST(Rfnet, TakesModalitiesInTheCohortsOrder) { expect_takes_any_order(kExample); }

TEST(Rfnet, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  expect_leaves_out_what_a_case_lacks(kExample, "t2_encoder.e1_c1.conv.weight");
}

TEST(Rfnet, StatesItsRun) { expect_states_its_run(kExample, 45'000, 150, 288); }

TEST(Rfnet, StatesItsData) { expect_states_its_data(kExample); }

TEST(Rfnet, WeightsComeBackUnderThePublishedNames) { expect_weights_come_back(kExample, 288); }

TEST(Rfnet, RefusesWhatItsBordersCannotMirror) {
  EXPECT_THAT(brain_box_refusal(kExample, {80, 84, 80}), ::testing::HasSubstr("80 or 88"));
  EXPECT_THAT(brain_box_refusal(kExample, {8, 80, 80}), ::testing::HasSubstr("nearest for D: 16"));
  EXPECT_THROW(kExample.made()->forward(torch::zeros({1, 4, 16, 20, 16}), 1), ConfigError);
}

TEST(Rfnet, Bfloat16IsNearFloat) { expect_bfloat16_near_float(kExample); }

TEST(Rfnet, ChannelsLastGivesTheSameLoss) { expect_channels_last_gives_the_same(kExample); }

}  // namespace
}  // namespace lacuna::methods::rfnet

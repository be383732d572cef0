// M2FTrans as the rest of Lacuna uses it: stages, evaluation, dropout, cases that lack a modality,
// refusals.
#include "methods/m2ftrans/method.h"

#include "tests/methods/brain_box_checks.h"

namespace lacuna::methods::m2ftrans {
namespace {

const BrainBoxExample kExample{.name = "m2ftrans", .patch = {32, 48, 32}};

TEST(M2ftrans, EncodesOnceForAllSubsets) { expect_encodes_once(kExample); }

TEST(M2ftrans, SubsetsBelongToSamples) { expect_subsets_of_samples(kExample); }

TEST(M2ftrans, TakesModalitiesInTheCohortsOrder) { expect_takes_any_order(kExample); }

TEST(M2ftrans, ACaseThatLacksAModalityIsLeftOutOfItsSeparateLoss) {
  expect_leaves_out_what_a_case_lacks(kExample, "t2_encoder.e1_c1.conv.weight");
}

TEST(M2ftrans, StatesItsRun) {
  expect_states_its_run(kExample, 150'000, 150, 801);
  const auto stages = kExample.made()->stages(150'000);
  EXPECT_EQ(stages[0].phases[0].trains[0].optimizer.kind, OptimizerSpec::Kind::kAdamW);
  EXPECT_EQ(stages[0].phases[0].trains[0].schedule.warmup, 15'000);
  EXPECT_EQ(kExample.made({{"subset_per", "batch"}})->stages(10)[0].subsets["granularity"],
            "batch");
}

TEST(M2ftrans, DropoutBelongsToSamples) { expect_dropout_of_samples(kExample, Json::object()); }

TEST(M2ftrans, StatesItsData) { expect_states_its_data(kExample); }

TEST(M2ftrans, WeightsComeBackUnderThePublishedNames) { expect_weights_come_back(kExample, 801); }

TEST(M2ftrans, RefusesWhatItsBordersCannotMirror) {
  EXPECT_THAT(brain_box_refusal(kExample, {80, 84, 80}), ::testing::HasSubstr("80 or 96"));
  EXPECT_THAT(brain_box_refusal(kExample, {16, 80, 80}), ::testing::HasSubstr("nearest for D: 32"));
  EXPECT_THROW(kExample.made()->forward(torch::zeros({1, 4, 32, 32, 48}), 1), ConfigError);
}

TEST(M2ftrans, Bfloat16IsNearFloat) { expect_bfloat16_near_float(kExample); }

TEST(M2ftrans, ChannelsLastGivesTheSameLoss) { expect_channels_last_gives_the_same(kExample); }

}  // namespace
}  // namespace lacuna::methods::m2ftrans

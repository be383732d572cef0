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

// Masks belong to samples: with their keys a batch drops what its samples do one by one; without
// keys nothing is dropped.
TEST(Mmformer, DropoutBelongsToSamples) {
  const auto method = kExample.made({{"local_dice", true}});
  method->module().to(at::kDouble);
  const torch::NoGradGuard no_grad;
  Batch both = kExample.batch({0b0110, 0b1000}, at::kDouble);
  const at::Tensor still = method->loss("train", both, {}).output;
  both.sample_index = {7, 8};
  const at::Tensor output = method->loss("train", both, {}).output;
  EXPECT_GT((output - still).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(at::equal(output, method->loss("train", both, {}).output));
  Batch second;
  second.image = both.image.narrow(0, 1, 1);
  second.label = both.label.narrow(0, 1, 1);
  second.subsets = {{0b1000}};
  second.sample_index = {8};
  EXPECT_LT((output.narrow(0, 1, 1) - method->loss("train", second, {}).output)
                .abs()
                .max()
                .item<double>(),
            1e-10);
  EXPECT_TRUE(at::equal(
      kExample.made({{"dropout", false}})->loss("train", kExample.batch({3, 3}), {}).output,
      kExample.made({{"dropout", false}})
          ->loss("train", kExample.batch({3, 3}), {.seed = 2})
          .output));
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

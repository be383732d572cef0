#include "worker/state/schedule.h"

#include <gtest/gtest.h>

namespace lacuna::worker {
namespace {

using methods::ScheduleSpec;

// MCKD: the second stage goes on at position 79,999 of 115,000.
TEST(Schedule, PolyGivesTheRatesOfTheCard) {
  ScheduleSpec stage;
  stage.kind = ScheduleSpec::Kind::kPoly;
  stage.first = 79'999;
  stage.horizon = 115'000;
  EXPECT_NEAR(1e-2 * schedule_factor(stage, 0), 3.42803e-3, 5e-9);
  EXPECT_NEAR(1e-2 * schedule_factor(stage, 100'000 - 79'999), 1.59902e-3, 5e-9);
  EXPECT_NEAR(1e-2 * schedule_factor(stage, 114'999 - 79'999), 2.7885e-7, 5e-12);
  EXPECT_EQ(schedule_factor(stage, 200'000), 0);
}

// MST-KDNet: 1e-4 * (1 - e / 100)^0.9 of epoch e, and published (e + 1) for e; here
// an epoch is 7 steps.
TEST(Schedule, PolyPerEpochAtItsStartOrItsEnd) {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::kPoly;
  spec.horizon = 700;
  spec.per_epoch = true;
  const auto rate = [&](std::int64_t epoch, std::int64_t step) {
    return 1e-4 * schedule_factor(spec, epoch * 7 + step, /*steps_per_epoch=*/7);
  };
  EXPECT_DOUBLE_EQ(rate(0, 6), 1e-4);
  EXPECT_NEAR(rate(50, 3), 5.358867e-5, 5e-12);
  EXPECT_NEAR(rate(99, 0), 1.584893e-6, 5e-13);
  spec.hold_end = true;
  EXPECT_NEAR(rate(0, 0), 9.909955e-5, 5e-12);
  EXPECT_NEAR(rate(49, 6), 5.358867e-5, 5e-12);
  EXPECT_NEAR(rate(98, 2), 1.584893e-6, 5e-13);
  EXPECT_EQ(rate(99, 0), 0);
}

// RFNet, and mmFormer: 2e-4 (1 - e/E)^0.9 through each of E epochs. The
// published code rounds to 8 digits.
TEST(Schedule, PolyInEpochsOfTheCardsOwnLength) {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::kPoly;
  spec.horizon = 45'000;
  spec.granularity = 150;
  const auto rate = [&](std::int64_t epoch, std::int64_t step) {
    return 2e-4 * schedule_factor(spec, epoch * spec.granularity + step);
  };
  EXPECT_NEAR(rate(0, 149), 2e-4, 1e-12);
  EXPECT_NEAR(rate(20, 0), 1.8796e-4, 1e-8);
  EXPECT_NEAR(rate(150, 75), 1.0718e-4, 1e-8);
  EXPECT_NEAR(rate(299, 149), 1.18e-6, 1e-8);
  spec.horizon = 24'000;
  spec.granularity = 24;
  EXPECT_NEAR(rate(1, 0), 1.9982e-4, 1e-8);
  EXPECT_NEAR(rate(100, 23), 1.8191e-4, 1e-8);
  EXPECT_NEAR(rate(500, 0), 1.0718e-4, 1e-8);
  EXPECT_NEAR(rate(900, 5), 2.518e-5, 1e-8);
  EXPECT_NEAR(rate(999, 23), 4e-7, 1e-8);
}

TEST(Schedule, ConstantStaysOne) {
  EXPECT_EQ(schedule_factor(ScheduleSpec{}, 0), 1);
  EXPECT_EQ(schedule_factor(ScheduleSpec{}, 123'456), 1);
}

TEST(Schedule, CosineFallsFromOneThroughHalfToZero) {
  ScheduleSpec cosine;
  cosine.kind = ScheduleSpec::Kind::kCosine;
  cosine.horizon = 200;
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 0), 1);
  EXPECT_NEAR(schedule_factor(cosine, 50), 0.853553390593, 1e-12);  // (1 + sqrt(1/2)) / 2
  EXPECT_NEAR(schedule_factor(cosine, 100), 0.5, 1e-15);
  EXPECT_NEAR(schedule_factor(cosine, 200), 0, 1e-15);
  EXPECT_NEAR(schedule_factor(cosine, 900), 0, 1e-15);
}

TEST(Schedule, WarmRestartBeginsTheCosineAnew) {
  ScheduleSpec cosine;
  cosine.kind = ScheduleSpec::Kind::kCosine;
  cosine.restart_period = 10;
  EXPECT_NEAR(schedule_factor(cosine, 5), 0.5, 1e-15);
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 10), 1);
  EXPECT_NEAR(schedule_factor(cosine, 35), 0.5, 1e-15);
}

// M2FTrans, published code: 2e-4 * e / 100 for e < 100, then (1 - (e - 100) / 900)^0.9, per epoch
// (here of 4 steps).
TEST(Schedule, WarmUpThenTheCurveOverTheRest) {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::kPoly;
  spec.granularity = 4;
  spec.warmup = 400;
  spec.horizon = 4000;
  EXPECT_EQ(schedule_factor(spec, 0), 0);
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 203), 0.5);  // epoch 50
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 400), 1);
  EXPECT_NEAR(schedule_factor(spec, 2201), 0.535886731268, 1e-12);  // epoch 550: 0.5^0.9
}

TEST(Schedule, GranularityHoldsTheRate) {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::kPoly;
  spec.power = 1;
  spec.granularity = 10;
  spec.horizon = 100;
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 19), 0.9);
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 20), 0.8);
}

// U-HeMIS card, check 9; and by epochs of 7 steps.
TEST(Schedule, StepsMultiplyTheRate) {
  ScheduleSpec spec;
  spec.kind = ScheduleSpec::Kind::kStep;
  spec.factor = 0.25;
  spec.every = 10000;
  const double rates[] = {1e-3, 2.5e-4, 6.25e-5, 1.5625e-5, 3.90625e-6, 9.765625e-7};
  for (int k = 0; k < 6; ++k) {
    EXPECT_DOUBLE_EQ(1e-3 * schedule_factor(spec, 10000 * k), rates[k]);
    EXPECT_DOUBLE_EQ(1e-3 * schedule_factor(spec, 10000 * k + 9999), rates[k]);
  }
  spec.per_epoch = true;
  spec.every = 3;
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 20, 7), 1);
  EXPECT_DOUBLE_EQ(schedule_factor(spec, 21, 7), 0.25);
}

}  // namespace
}  // namespace lacuna::worker

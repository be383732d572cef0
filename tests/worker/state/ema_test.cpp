#include "worker/state/ema.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace lacuna::worker {
namespace {

// decay 0.75: e = 4, then 0.75 * 4 + 0.25 * 8 = 5, then 0.75 * 5 + 0.25 * 1 = 4.
TEST(Ema, FollowsTheParametersWithItsDecay) {
  at::Tensor weight = torch::full({1}, 4.0);
  Ema average(0.75, {{"weight", weight}});
  weight.fill_(8);
  average.update();
  EXPECT_DOUBLE_EQ(average.averages()[0].second.item<double>(), 5);
  weight.fill_(1);
  average.update();
  EXPECT_DOUBLE_EQ(average.averages()[0].second.item<double>(), 4);
}

TEST(Ema, StartsAnewWhereWeightsWereHandedOver) {
  at::Tensor teacher = torch::full({1}, 4.0), student = torch::full({1}, 1.0);
  Ema average(0.75, {{"teacher", teacher}, {"student", student}});
  teacher.fill_(8);
  average.update();
  const auto before = average.present();
  student.copy_(teacher);
  average.restart_changed(before);
  EXPECT_EQ(average.averages()[0].second.item<double>(), 5);  // the teacher's goes on
  EXPECT_EQ(average.averages()[1].second.item<double>(), 8);
}

TEST(Ema, SwapExchangesAndSwapsBack) {
  at::Tensor weight = torch::full({1}, 4.0);
  Ema average(0.75, {{"weight", weight}});
  weight.fill_(8);
  average.swap();
  EXPECT_EQ(weight.item<double>(), 4);
  average.swap();
  EXPECT_EQ(weight.item<double>(), 8);
  EXPECT_EQ(average.averages()[0].second.item<double>(), 4);
}

}  // namespace
}  // namespace lacuna::worker

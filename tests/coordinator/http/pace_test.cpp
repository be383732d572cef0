#include "coordinator/http/pace.h"

#include <gtest/gtest.h>

namespace lacuna::coordinator {
namespace {

using std::chrono::milliseconds;

TEST(Pace, LetsABurstThroughAndSpreadsTheRest) {
  Pace pace(10, 2);
  const Pace::Clock::time_point start{std::chrono::hours(1)};
  EXPECT_EQ(pace.take(start), milliseconds(0));
  EXPECT_EQ(pace.take(start), milliseconds(0));
  EXPECT_EQ(pace.take(start), milliseconds(100));
  EXPECT_EQ(pace.take(start), milliseconds(200));
  EXPECT_EQ(pace.take(start + milliseconds(50)), milliseconds(250));
}

TEST(Pace, ForgetsAfterAQuietTime) {
  Pace pace(10, 1);
  const Pace::Clock::time_point start{std::chrono::hours(1)};
  for (int i = 0; i < 5; ++i) pace.take(start);
  EXPECT_EQ(pace.take(start + milliseconds(500)), milliseconds(0));
  EXPECT_EQ(pace.take(start + milliseconds(500)), milliseconds(100));
}

TEST(Pace, WithoutALimitNothingWaits) {
  Pace pace(0, 0);
  const Pace::Clock::time_point start{std::chrono::hours(1)};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pace.take(start), milliseconds(0));
}

}  // namespace
}  // namespace lacuna::coordinator

#include "comm/deadline.h"

#include <atomic>
#include <memory>

#include <gtest/gtest.h>

#include "comm/collective_log.h"
#include "tests/base/fake_clock.h"

namespace lacuna::comm {
namespace {

TEST(PollUntil, AsksOnceEvenWhenTheDeadlineHasPassed) {
  EXPECT_TRUE(poll_until([] { return true; }, Seconds{-1}));
}

TEST(PollUntil, EndsAtTheDeadlineOfTheClockAndNotBefore) {
  FakeClock clock;
  const double start = clock.seconds();
  const auto never = [&] {
    clock.advance(0.01);
    return false;
  };
  EXPECT_FALSE(poll_until(never, Seconds{5}, clock));
  EXPECT_GT(clock.seconds() - start, 5);
  EXPECT_LT(clock.seconds() - start, 5.02);
}

TEST(PollUntil, SeesAnAnswerThatComesLate) {
  FakeClock clock;
  int asked = 0;
  EXPECT_TRUE(poll_until([&] { return ++asked == 203; }, Seconds{5}, clock));
}

TEST(RunWithin, TellsACallThatReturnsFromOneThatHangs) {
  EXPECT_TRUE(run_within(Seconds{20}, [] {}));
  const auto released = std::make_shared<std::atomic<bool>>(false);
  EXPECT_FALSE(run_within(Seconds{0.01}, [released] { released->wait(false); }));
  released->store(true);
  released->notify_all();
}

TEST(CollectiveLog, TellsTheLastOnesAndWhichAreOpen) {
  FakeClock clock;
  CollectiveLog log(2, clock);
  EXPECT_EQ(log.tail(), "none");
  const auto first = log.start("fp32 sum", 400);
  const auto second = log.start("fp32 sum", 1024);
  clock.advance(0.25);
  log.finish(second);
  clock.advance(1);
  log.start("bf16 sum", 8);
  log.finish(first);  // overwritten since: no harm
  clock.advance(2);
  EXPECT_EQ(log.tail(),
            "#2 fp32 sum of 1024 bytes, done after 0.250 s; #3 bf16 sum of 8 bytes, open for 2.0 "
            "s");
}

}  // namespace
}  // namespace lacuna::comm

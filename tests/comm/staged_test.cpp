#include "comm/staged.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/mpi.h"
#include "comm/solo.h"
#include "tests/comm/deadline.h"
#include "tests/comm/fake_device.h"
#include "tests/comm/run_ranks.h"

namespace lacuna::comm {
namespace {

using testing::HasSubstr;

DeviceSpan span(std::vector<float>& values) {
  return {values.data(), values.size(), ElementType::kFloat};
}

TEST(Staged, KeepsThePageLockedBuffersOfOneStepForTheNext) {
  auto fake = std::make_unique<FakeQueue>();
  FakeQueue& queue = *fake;
  const auto ranks = make_staged(make_solo(), std::move(fake));
  EXPECT_EQ(ranks->name(), "solo+staging");
  std::vector<float> one{1, 2}, two{3, 4};
  for (int step = 0; step < 3; ++step) {
    const auto first = ranks->sum_on_device(span(one)), second = ranks->sum_on_device(span(two));
    ASSERT_TRUE(first->wait(kDeadline).ok());
    ASSERT_TRUE(second->wait(kDeadline).ok());
  }
  EXPECT_EQ(queue.allocations, 2);
  EXPECT_EQ(one, (std::vector<float>{1, 2}));
}

TEST(Staged, ACopyThatNeverEndsStopsAtTheDeadlineAndIsNamed) {
  auto fake = std::make_unique<FakeQueue>();
  FakeQueue& queue = *fake;
  const auto ranks = make_staged(make_solo(), std::move(fake));
  std::vector<float> values{1};
  queue.stuck = true;
  const auto stuck = ranks->sum_on_device(span(values));
  const CommResult result = stuck->wait(Seconds{0.01});
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_THAT(result.text, HasSubstr("a copy to the host did not complete"));
  queue.failure = "an illegal address";
  EXPECT_THAT(stuck->wait(kDeadline).text, HasSubstr("a copy to the host: an illegal address"));
}

TEST(Staged, SumsOverRanksInTheOrderOfTheCalls) { EXPECT_EQ(run_ranks(2, "Staged"), 0); }

TEST(RankBody, DISABLED_Staged) {
  MpiSession mpi;
  // The GPU of rank 1 is slow, so that its copies end long after those of rank 0.
  auto world = mpi.world();
  const int rank = world->rank();
  const auto ranks = make_staged(std::move(world), std::make_unique<FakeQueue>(rank == 0 ? 0 : 50));
  EXPECT_EQ(ranks->name(), "mpi+staging");
  std::vector<float> a{1, 2}, b{10};
  std::vector<std::uint16_t> narrow{0x3f80};  // 1 in bfloat16
  std::vector<std::int64_t> flag{rank};
  const auto sum_a = ranks->sum_on_device(span(a)), sum_b = ranks->sum_on_device(span(b));
  const auto sum_narrow =
      ranks->sum_on_device({narrow.data(), narrow.size(), ElementType::kBFloat16});
  const auto highest = ranks->maximum(flag);
  // Asked for last to first: they must not be started in that order.
  ASSERT_TRUE(highest->wait(kDeadline).ok());
  ASSERT_TRUE(sum_narrow->wait(kDeadline).ok());
  ASSERT_TRUE(sum_b->wait(kDeadline).ok());
  ASSERT_TRUE(sum_a->wait(kDeadline).ok());
  EXPECT_EQ(a, (std::vector<float>{2, 4}));
  EXPECT_EQ(b, (std::vector<float>{20}));
  EXPECT_EQ(narrow[0], 0x4000);  // 2
  EXPECT_EQ(flag[0], 1);

  const auto part = ranks->split(rank == 1 ? 0 : -1);
  EXPECT_EQ(part != nullptr, rank == 1);
  EXPECT_TRUE(ranks->barrier(kDeadline).ok());
}

}  // namespace
}  // namespace lacuna::comm

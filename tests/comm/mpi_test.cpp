// The same promises on real ranks: each test starts mpirun on a body of this program.
#include "comm/mpi.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <unistd.h>

#include "comm/gradient_reducer.h"
#include "tests/comm/deadline.h"
#include "tests/comm/run_ranks.h"

namespace lacuna::comm {
namespace {

TEST(Mpi, CollectivesGiveTheSameOnEveryRank) { EXPECT_EQ(run_ranks(3, "Collectives"), 0); }
TEST(Mpi, GradientsAreSummedOverRanksAlsoWhereOneRankHasNone) {
  EXPECT_EQ(run_ranks(2, "Gradients"), 0);
}
TEST(Mpi, ReducersThatShareParametersWorkInTurn) { EXPECT_EQ(run_ranks(2, "SharedParameters"), 0); }
TEST(Mpi, DifferentParameterListsAreRefused) { EXPECT_EQ(run_ranks(2, "DifferentLists"), 0); }
TEST(Mpi, AWaitForAPeerThatNeverComesEndsAtItsDeadline) {
  EXPECT_EQ(run_ranks(2, "MissingPeer"), 76);
}

TEST(RankBody, DISABLED_Collectives) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  const int rank = ranks->rank();
  ASSERT_EQ(ranks->size(), 3);

  std::vector<float> values = {1.0f + static_cast<float>(rank), 10.0f};
  ASSERT_TRUE(ranks->sum(values)->wait(kDeadline).ok());
  EXPECT_EQ(values, (std::vector<float>{6, 30}));

  // 0x3f80 = 1, 0x4040 = 3 in bfloat16.
  std::vector<std::uint16_t> narrow = {0x3f80};
  ASSERT_TRUE(ranks->sum_bf16(narrow)->wait(kDeadline).ok());
  EXPECT_EQ(narrow[0], 0x4040);

  std::vector<std::int64_t> flags = {rank == 1 ? 7 : 0};
  ASSERT_TRUE(ranks->maximum(flags)->wait(kDeadline).ok());
  EXPECT_EQ(flags[0], 7);

  std::vector<std::byte> bytes(5, static_cast<std::byte>(rank));
  ASSERT_TRUE(ranks->broadcast(bytes, 2)->wait(kDeadline).ok());
  EXPECT_EQ(bytes, std::vector<std::byte>(5, std::byte{2}));

  std::vector<std::vector<std::byte>> all;
  ASSERT_TRUE(ranks
                  ->gather_all(std::vector<std::byte>(static_cast<std::size_t>(rank),
                                                      static_cast<std::byte>(rank)),
                               all, kDeadline)
                  .ok());
  ASSERT_EQ(all.size(), 3u);
  EXPECT_TRUE(all[0].empty());
  EXPECT_EQ(all[2], std::vector<std::byte>(2, std::byte{2}));

  const auto trainers = ranks->split(rank < 2 ? 0 : -1);
  EXPECT_EQ(trainers != nullptr, rank < 2);
  if (trainers) {
    EXPECT_EQ(trainers->size(), 2);
  }
  EXPECT_TRUE(ranks->barrier(kDeadline).ok());
}

TEST(RankBody, DISABLED_Gradients) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  const float scale = ranks->rank() == 0 ? 1 : 100;
  const auto a = torch::zeros({3}, torch::requires_grad());
  const auto b = torch::zeros({2}, torch::requires_grad());
  for (const bool bf16 : {false, true}) {
    // Tiny buckets: one per parameter. Rank 1 never uses b.
    GradientReducer reducer(*ranks, {{"a", a}, {"b", b}}, {4, 4, bf16, kDeadline});
    for (int step = 0; step < 2; ++step) {
      reducer.begin(2);
      for (int pass = 0; pass < 2; ++pass) {
        auto loss = (a * scale).sum();
        if (ranks->rank() == 0) loss = loss + (b * 5).sum();
        loss.backward();
      }
      ASSERT_TRUE(reducer.finish().ok());
      EXPECT_TRUE(torch::equal(a.grad(), torch::full({3}, 202.0)));  // 2 * (1 + 100), exact in bf16
      EXPECT_TRUE(torch::equal(b.grad(), torch::full({2}, 10.0)));
    }
  }
}

TEST(RankBody, DISABLED_SharedParameters) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  const auto a = torch::zeros({3}, torch::requires_grad());
  const auto b = torch::zeros({2}, torch::requires_grad());
  GradientReducer both(*ranks, {{"a", a}, {"b", b}}, {4, 4, false, kDeadline});
  GradientReducer one(*ranks, {{"b", b}}, {4, 4, false, kDeadline});
  for (int step = 0; step < 2; ++step) {
    both.begin();
    (a.sum() + b.sum()).backward();
    ASSERT_TRUE(both.finish().ok());
    EXPECT_TRUE(torch::equal(b.grad(), torch::full({2}, 2.0)));
    one.begin();
    if (ranks->rank() == 0) (b * 3).sum().backward();
    ASSERT_TRUE(one.finish().ok());
    EXPECT_TRUE(torch::equal(b.grad(), torch::full({2}, 3.0)));
    EXPECT_EQ(one.touched(), std::vector<bool>{ranks->rank() == 0});
  }
}

TEST(RankBody, DISABLED_DifferentLists) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  const auto a = torch::zeros({ranks->rank() + 1}, torch::requires_grad());
  EXPECT_ANY_THROW(GradientReducer(*ranks, {{"a", a}}, {}));
  EXPECT_TRUE(ranks->barrier(kDeadline).ok());
}

TEST(RankBody, DISABLED_MissingPeer) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  std::vector<float> values = {1};
  if (ranks->rank() == 0) {
    const CommResult result = ranks->sum(values)->wait(Seconds{0.2});
    if (result.outcome == Outcome::kTimedOut) MpiSession::abandon(76);
  }
  // Rank 1 never joins; the launcher ends it once rank 0 is gone.
  ::pause();
}

}  // namespace
}  // namespace lacuna::comm

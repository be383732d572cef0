#include "comm/all_reduce_benchmark.h"

#include <gtest/gtest.h>

#include "comm/host_backed.h"
#include "comm/mpi.h"
#include "comm/solo.h"
#include "tests/comm/run_ranks.h"

namespace lacuna::comm {
namespace {

TEST(AllReduceBenchmark, BandwidthsFollowTheDefinitionOfNcclTests) {
  const AllReduceTiming timing{.bytes = 8'000'000, .count = 2'000'000, .seconds = 0.002};
  EXPECT_DOUBLE_EQ(timing.algorithm_bandwidth(), 4e9);
  EXPECT_DOUBLE_EQ(timing.bus_bandwidth(1), 0);
  EXPECT_DOUBLE_EQ(timing.bus_bandwidth(2), 4e9);
  EXPECT_DOUBLE_EQ(timing.bus_bandwidth(4), 6e9);
}

// Loses the last element of every sum.
class Lossy final : public HostBacked {
 public:
  using HostBacked::HostBacked;
  std::string name() const override { return "lossy"; }
  std::unique_ptr<Operation> sum(std::span<float> values) override {
    values.back() = 0;
    return HostBacked::sum(values);
  }
  std::unique_ptr<Communicator> split(int) override { return nullptr; }
};

TEST(AllReduceBenchmark, CountsEveryWrongElement) {
  Lossy ranks(make_solo());
  AllReduceTiming timing;
  ASSERT_TRUE(time_all_reduce(ranks, 42, {}, timing).ok());
  EXPECT_EQ(timing.bytes, 40u);  // whole elements
  EXPECT_EQ(timing.wrong, 1);
}

TEST(AllReduceBenchmark, RealRanksSumRightInBothTypes) { EXPECT_EQ(run_ranks(3, "Benchmark"), 0); }

TEST(RankBody, DISABLED_Benchmark) {
  MpiSession mpi;
  const auto ranks = mpi.world();
  for (const bool bf16 : {false, true}) {
    AllReduceTiming timing;
    const CommResult result =
        time_all_reduce(*ranks, 4096, {.bf16 = bf16, .warm_up = 1, .iterations = 2}, timing);
    ASSERT_TRUE(result.ok()) << result.text;
    EXPECT_EQ(timing.wrong, 0);
    EXPECT_EQ(timing.count, bf16 ? 2048u : 1024u);
    EXPECT_GT(timing.seconds, 0);
  }
}

}  // namespace
}  // namespace lacuna::comm

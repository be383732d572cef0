#include "comm/rank_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "comm/choose.h"
#include "comm/cuda_queue.h"
#include "comm/solo.h"

namespace lacuna::comm {
namespace {

using testing::HasSubstr;

// Two machines with two GPUs each.
std::vector<RankDevice> ranks(const std::vector<std::string>& gpus) {
  std::vector<RankDevice> all;
  for (std::size_t r = 0; r < gpus.size(); ++r) {
    all.push_back({r < 2 ? "n1 boot-a" : "n2 boot-b", gpus[r]});
  }
  return all;
}

std::string refusal(const std::string& wanted, const std::vector<RankDevice>& all) {
  try {
    choose_backend(wanted, all);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(RankDevice, RanksThatShareAGpuAreNamed) {
  EXPECT_EQ(shared_gpus(ranks({"GPU-a", "GPU-b", "GPU-c", "GPU-d"})), "");
  EXPECT_EQ(shared_gpus(ranks({"", "", ""})), "");
  EXPECT_EQ(shared_gpus(ranks({"GPU-a", "GPU-a", "GPU-c", "GPU-c"})),
            "ranks 0 and 1 share GPU-a on n1; ranks 2 and 3 share GPU-c on n2");
}

TEST(RankDevice, LocalRankCountsWithinOneMachine) {
  const auto all = ranks({"", "", "", ""});
  EXPECT_EQ(local_rank(all, 0), 0);
  EXPECT_EQ(local_rank(all, 1), 1);
  EXPECT_EQ(local_rank(all, 2), 0);
  EXPECT_EQ(local_rank(all, 3), 1);
}

TEST(ChooseBackend, FollowsTheTable) {
  const auto cpu = ranks({"", "", ""}), own = ranks({"GPU-a", "GPU-b", "GPU-c"}),
             shared = ranks({"GPU-a", "GPU-a", "GPU-c"}), one = ranks({"GPU-a"});
  struct Row {
    const char* wanted;
    const std::vector<RankDevice>& all;
    Backend backend;
    const char* why;
  };
  for (const Row& row : {
           Row{"auto", cpu, Backend::kHost, "no rank computes on a GPU"},
           Row{"mpi", cpu, Backend::kHost, "no rank computes on a GPU"},
           Row{"auto", own, Backend::kNccl, "every rank has a GPU of its own"},
           Row{"mpi", own, Backend::kStaged, "asked for"},
           Row{"nccl", own, Backend::kNccl, "asked for"},
           Row{"auto", shared, Backend::kStaged, "not used, ranks 0 and 1 share GPU-a on n1"},
           Row{"mpi", shared, Backend::kStaged, "asked for"},
           Row{"auto", one, Backend::kHost, "one rank"},
           Row{"nccl", one, Backend::kNccl, "asked for"},
       }) {
    const BackendChoice choice = choose_backend(row.wanted, row.all);
    EXPECT_EQ(choice.backend, row.backend) << row.wanted << ": " << choice.why;
    EXPECT_THAT(choice.why, HasSubstr(row.why));
  }
}

TEST(ChooseBackend, RefusesWhatCannotBeHadAndNamesTheRank) {
  EXPECT_THAT(refusal("nccl", ranks({"GPU-a", "GPU-b", ""})), HasSubstr("rank 2 on n2 computes"));
  EXPECT_THAT(refusal("nccl", ranks({"GPU-a", "GPU-a"})), HasSubstr("ranks 0 and 1 share GPU-a"));
  EXPECT_THAT(refusal("auto", ranks({"GPU-a", "", ""})), HasSubstr("rank 1 on n1 computes"));
}

TEST(ChooseCommunicator, OneRankOnTheProcessorStaysAsItIs) {
  const ChosenCommunicator chosen = choose_communicator(make_solo(), "auto", -1, "test");
  EXPECT_EQ(chosen.ranks->name(), "solo");
  EXPECT_THROW(choose_communicator(make_solo(), "nccl", -1, "test"), ConfigError);
}

TEST(CudaQueue, WithoutAGpuSaysWhyInsteadOfCrashing) {
  std::string why;
  if (visible_gpus(why) > 0) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_FALSE(why.empty());
  try {
    make_cuda_queue(0);
    FAIL() << "a queue without a GPU";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("GPU 0 cannot be used: " + why));
  }
  const auto solo = make_solo();
  EXPECT_EQ(suggest_gpu(*solo), -1);
}

}  // namespace
}  // namespace lacuna::comm

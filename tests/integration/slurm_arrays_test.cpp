// Arrays of small programs on a real SLURM: what the batch scripts and the scheduler promise.
#include "tests/integration/slurm_arrays.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>

#include "slurm/chunks.h"
#include "slurm/job_table.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using slurm::SchedulerError;
using slurm::TaskState;
using slurm::TaskStatus;
using Kind = slurm::SchedulerError::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> shell(const std::string& script) {
  return {"bash", "-c", script, "task", "{task}"};
}

TEST_F(SlurmArrays, TheThrottleHoldsAndNastyPathsRunNothing) {
  logs_ = "it's $(touch injected) %j \"q\"; `touch injected`";
  auto array = request({"a", "b", "c", "d"}, shell("cd \"$0\" && touch on.$1 && ls on.* | wc -l "
                                                   ">>counts; sleep 0.3; rm on.$1"));
  array.command[3] = (folder_ / "it's $(touch injected)").string();
  fs::create_directories(array.command[3]);
  array.folder = folder_ / "array $(touch injected) 'x' \\";
  array.throttle = 2;
  const std::string job = submit(array);
  const auto states = wait_for_end({job}, 4);
  for (const TaskState& each : states) {
    EXPECT_EQ(each.status, TaskStatus::kDone) << each.reason;
    EXPECT_EQ(each.exit_code, 0);
    EXPECT_EQ(each.restarts, 0);
    EXPECT_THAT(each.nodes, ::testing::MatchesRegex("n[1-4]"));
    EXPECT_GT(each.start, 1'700'000'000);
    EXPECT_GE(each.end, each.start);
  }
  EXPECT_THAT(log_of(job, 2), HasSubstr("task c: job " + job + "_2 on n"));
  std::istringstream counts(read_text(fs::path(array.command[3]) / "counts"));
  int tasks = 0;
  for (int running; counts >> running; ++tasks) EXPECT_LE(running, 2);
  EXPECT_EQ(tasks, 4);
  for (const fs::path& place : {folder_.path(), array.folder, request_logs(), fs::current_path(),
                                fs::path(array.command[3])}) {
    EXPECT_FALSE(fs::exists(place / "injected")) << place;
  }
}

TEST_F(SlurmArrays, EachCodeEndsAsItShouldAndLossesAreNotRepeatedForEver) {
  auto array = request({"c0", "c1", "c76", "c77"}, shell("exit ${1#c}"));
  array.progress = folder_.text("nothing");
  const std::string job = submit(array);
  const auto states = wait_for_end({job}, 4);
  const int codes[] = {0, 1, 76, 77};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(states[i].status, i == 0 ? TaskStatus::kDone : TaskStatus::kFailed);
    EXPECT_EQ(states[i].exit_code, codes[i]);
    EXPECT_EQ(states[i].restarts, i == 2 ? 1 : 0) << codes[i];
  }
  EXPECT_THAT(log_of(job, 2), HasSubstr("lost twice at the same checkpoint (none)"));
  // The last task of the array holds the array's own id: requeueing another must leave it alone.
  EXPECT_THAT(log_of(job, 3), ::testing::Not(HasSubstr("start 2")));
  // What SLURM keeps for later says the same.
  const auto kept = slurm::parse_completions(
      read_text(PrivateCluster::get().folder() / "log" / "jobcomp.txt"), ::geteuid());
  std::vector<int> ends;
  for (const TaskState& each : kept) {
    if (each.job == job) ends.push_back(each.exit_code.value_or(-1));
  }
  EXPECT_THAT(ends, ElementsAre(0, 1, 76, 77));
}

TEST_F(SlurmArrays, TheLastTaskOfAnArrayRequeuesItselfAndNotTheOthers) {
  const std::string job =
      submit(request({"first", "last"},
                     shell("[ $1 = first ] || [ -n \"${SLURM_RESTART_COUNT:-}\" ] || exit 75")));
  const auto states = wait_for_end({job}, 2);
  EXPECT_EQ(states[0].restarts, 0);
  EXPECT_EQ(states[1].restarts, 1);
  EXPECT_EQ(states[1].status, TaskStatus::kDone);
}

TEST_F(SlurmArrays, ACancelledTaskStaysCancelledAlthoughItSaves) {
  const std::string job = submit(
      request({"a", "b"}, shell("trap 'exit 75' USR2 TERM; echo up; while :; do sleep 0.1; done")));
  wait_until("its start", [&] {
    return log_of(job, 0).find("up") != std::string::npos &&
           log_of(job, 1).find("up") != std::string::npos;
  });
  scheduler_.cancel({job + "_0"});
  wait_until("its words",
             [&] { return log_of(job, 0).find("not requeued from here") != std::string::npos; });
  auto states = scheduler_.query({job});
  EXPECT_EQ(states[1].status, TaskStatus::kRunning);
  scheduler_.cancel({job});
  states = wait_for_end({job}, 2);
  for (const TaskState& each : states) {
    EXPECT_EQ(each.status, TaskStatus::kCancelled);
    EXPECT_EQ(each.restarts, 0);
  }
  scheduler_.cancel({job, "999999"});  // ended, unknown: no error
}

TEST_F(SlurmArrays, MoreTasksThanAnArrayHoldsRunInSeveral) {
  EXPECT_EQ(scheduler_.limits().max_array_size, PrivateCluster::kMaxArraySize);
  const auto array = request({"a", "b", "c", "d", "e", "f", "g", "h"}, shell("echo \"task=$1\""));
  EXPECT_THROW(scheduler_.submit(array), SchedulerError);
  const auto submitted = slurm::submit_all(scheduler_, array);
  ASSERT_EQ(submitted.size(), 2u);
  const auto states = wait_for_end({submitted[0].job, submitted[1].job}, 8);
  EXPECT_EQ(states.back().job, submitted[1].job);
  EXPECT_EQ(states.back().index, 1);
  EXPECT_THAT(log_of(submitted[0].job, 5), HasSubstr("task=f\n"));
  EXPECT_THAT(log_of(submitted[1].job, 1), HasSubstr("task=h\n"));
  EXPECT_THAT(scheduler_.find(submitted[1].name), ElementsAre(submitted[1].job));
}

TEST_F(SlurmArrays, ADependentStartsAfterAFailureAndOneThatNeverCanIsStuck) {
  const std::string job = submit(request(
      {"a", "b"}, shell("until [ -e " + folder_.text("go") + " ]; do sleep 0.05; done; exit 1")));
  auto later = request({"x"}, shell("echo after"));
  later.name = "later";
  later.after = {job};
  const std::string after = submit(later);
  later.name = "never";
  const std::string never = submit(later);
  // As a person might: not what we submit, because it waits for ever once the first has failed.
  PrivateCluster::call({"scontrol", "update", "JobId=" + never, "Dependency=afterok:" + job});
  wait_until("it to wait", [&] { return scheduler_.query({after})[0].reason == "Dependency"; });
  std::ofstream(folder_ / "go") << "go";
  const auto states = wait_for_end({job, after}, 3);
  EXPECT_EQ(states[2].status, TaskStatus::kDone);
  EXPECT_GE(states[2].start, std::max(states[0].end, states[1].end));
  wait_until("SLURM to see it", [&] { return slurm::is_stuck(scheduler_.query({never})[0]); });
  EXPECT_EQ(scheduler_.query({never})[0].status, TaskStatus::kPending);
  EXPECT_THAT(slurm::advice(scheduler_.query({never})[0]), HasSubstr("never starts"));
}

TEST_F(SlurmArrays, RefusalsAreShownInItsOwnWords) {
  const auto words = [&](const auto& change) -> std::string {
    auto array = request({"a"}, {"true"});
    change(array);
    try {
      submit(array);
    } catch (const SchedulerError& error) {
      EXPECT_EQ(error.kind(), Kind::kRefused);
      return error.what();
    }
    return "submitted";
  };
  EXPECT_THAT(words([](auto& r) { r.resources.partition = "nowhere"; }),
              HasSubstr("invalid partition specified: nowhere"));
  EXPECT_THAT(words([](auto& r) { r.resources.cpus_per_rank = 5; }),
              HasSubstr("Requested node configuration is not available"));
  EXPECT_THAT(words([](auto& r) { r.resources.constraint = "infiniband"; }),
              HasSubstr("Invalid feature specification"));
  EXPECT_THAT(words([](auto& r) { r.resources.time = "soon"; }), HasSubstr("Invalid --time"));
  EXPECT_THAT(words([](auto& r) { r.resources.extra = {"--colour=red"}; }), HasSubstr("colour"));
}

TEST_F(SlurmArrays, AnAnswerThatWasLostIsFoundByName) {
  pid_t controller = 0;
  std::ifstream(PrivateCluster::get().folder() / "run" / "slurmctld.pid") >> controller;
  ASSERT_GT(controller, 0);
  ::kill(controller, SIGSTOP);
  slurm::SlurmScheduler impatient(slurm::Commands({}, 1));
  try {
    impatient.submit(request({"a"}, {"true"}));
    ADD_FAILURE() << "a stopped controller has answered";
  } catch (const SchedulerError& error) {
    EXPECT_EQ(error.kind(), Kind::kNoAnswer);
  }
  ::kill(controller, SIGCONT);
  std::vector<std::string> found;
  wait_until("the submission to turn up", [&] {
    found = scheduler_.find("AnAnswerThatWasLostIsFoundByName");
    return !found.empty();
  });
  EXPECT_EQ(found.size(), 1u);
  EXPECT_EQ(wait_for_end(found, 1)[0].status, TaskStatus::kDone);
}

TEST_F(SlurmArrays, WhatTheClusterCanDoIsFound) {
  const auto found = scheduler_.capabilities();
  EXPECT_TRUE(found.pmix) << found.pmix_reason;
  EXPECT_FALSE(found.accounting);
  EXPECT_TRUE(found.completions);
  EXPECT_THAT(found.version, HasSubstr("."));
}

TEST_F(SlurmArrays, RanksGetTheGpusOfTheirNode) {
  if (PrivateCluster::call({"sinfo", "--noheader", "--format=%G"}).find("gpu") ==
      std::string::npos) {
    GTEST_SKIP() << "no device nodes can be made here";
  }
  auto array = request({"a"}, shell("echo \"gpus=$CUDA_VISIBLE_DEVICES nodes=$SLURM_JOB_NUM_NODES "
                                    "tasks=$SLURM_NTASKS cpus=$SLURM_CPUS_PER_TASK\""));
  array.resources.nodes = 2;
  array.resources.ranks = 4;
  array.resources.gpus_per_rank = 1;
  const std::string job = submit(array);
  wait_for_end({job}, 1);
  EXPECT_THAT(log_of(job, 0), HasSubstr("gpus=0,1 nodes=2 tasks=4 cpus=1\n"));
}

}  // namespace
}  // namespace lacuna::tests

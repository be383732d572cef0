#include "slurm/chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "slurm/launcher_choice.h"
#include "tests/slurm/fake_scheduler.h"

namespace lacuna::tests {
namespace {

using slurm::ArrayRequest;
using slurm::SchedulerError;
using slurm::TaskState;
using slurm::TaskStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ArrayRequest request_of(int tasks, int throttle) {
  ArrayRequest request;
  request.name = "study";
  request.throttle = throttle;
  request.after = {"7"};
  for (int i = 0; i < tasks; ++i) request.tasks.push_back("t" + std::to_string(i));
  return request;
}

TEST(Chunks, TenThousandTasksFitUnderAnyLimitInOrder) {
  const auto parts = slurm::split(request_of(10'000, 0), 1001);
  ASSERT_EQ(parts.size(), 10u);  // 9 x 1001 + 991
  EXPECT_EQ(parts[0].tasks.size(), 1001u);
  EXPECT_EQ(parts[9].tasks.size(), 991u);
  EXPECT_EQ(parts[1].tasks.front(), "t1001");
  EXPECT_EQ(parts[9].tasks.back(), "t9999");
  EXPECT_EQ(parts[0].name, "study");
  EXPECT_EQ(parts[1].name, "study.2");
  EXPECT_EQ(parts[9].name, "study.10");
}

TEST(Chunks, ExactlyOneArrayOfTheLargestSizeIsNotSplit) {
  EXPECT_EQ(slurm::split(request_of(1001, 0), 1001).size(), 1u);
}

TEST(Chunks, NoTasksAreRefused) { EXPECT_THROW(slurm::split(request_of(0, 0), 1001), ConfigError); }

TEST(Chunks, WithAThrottleArraysFollowEachOtherAndWithoutTheyDoNot) {
  FakeScheduler throttled, free;
  throttled.limit.max_array_size = free.limit.max_array_size = 2;
  const auto submitted = slurm::submit_all(throttled, request_of(5, 1));
  ASSERT_EQ(submitted.size(), 3u);
  EXPECT_THAT(submitted[2].tasks, ElementsAre("t4"));
  EXPECT_THAT(throttled.submitted[0].after, ElementsAre("7"));
  EXPECT_THAT(throttled.submitted[1].after, ElementsAre("7", "1"));
  EXPECT_THAT(throttled.submitted[2].after, ElementsAre("7", "2"));
  slurm::submit_all(free, request_of(5, 0));
  EXPECT_THAT(free.submitted[2].after, ElementsAre("7"));
}

TEST(Chunks, WhatWasSubmittedBeforeARefusalIsReportedAndALostAnswerCanBeFound) {
  FakeScheduler scheduler;
  scheduler.limit.max_array_size = 2;
  std::vector<std::string> announced, reported;
  const auto submit = [&] {
    slurm::submit_all(
        scheduler, request_of(4, 0),
        [&](const ArrayRequest& part) {
          announced.push_back(part.name);
          if (announced.size() == 2) scheduler.lose_submission = true;
        },
        [&](const slurm::SubmittedArray& array) { reported.push_back(array.job); });
  };
  try {
    submit();
    FAIL();
  } catch (const SchedulerError& error) {
    EXPECT_EQ(error.kind(), SchedulerError::Kind::kNoAnswer);
  }
  EXPECT_THAT(reported, ElementsAre("1"));
  EXPECT_THAT(announced, ElementsAre("study", "study.2"));
  EXPECT_THAT(scheduler.find("study.2"), ElementsAre("2"));
  EXPECT_THAT(scheduler.find("study.3"), IsEmpty());
}

TEST(TaskState, ADependencyThatNeverComesIsStuckAndATurnThatComesIsNot) {
  TaskState state;
  state.reason = "DependencyNeverSatisfied";
  EXPECT_TRUE(slurm::is_stuck(state));
  EXPECT_THAT(slurm::advice(state), HasSubstr("never starts"));
  state.reason = "Dependency";
  EXPECT_FALSE(slurm::is_stuck(state));
  state.reason = "JobArrayTaskLimit";
  EXPECT_FALSE(slurm::is_stuck(state));
  state.reason = "Priority";
  EXPECT_EQ(slurm::advice(state), "");
  state.reason = "DependencyNeverSatisfied";
  state.status = TaskStatus::kCancelled;
  EXPECT_FALSE(slurm::is_stuck(state));
}

TEST(TaskState, OnlyWaitingAndRunningTasksHaveNotEnded) {
  for (const TaskStatus status :
       {TaskStatus::kPending, TaskStatus::kRunning, TaskStatus::kRequeued}) {
    EXPECT_FALSE(slurm::has_ended(status)) << slurm::status_name(status);
  }
  for (const TaskStatus status : {TaskStatus::kDone, TaskStatus::kFailed, TaskStatus::kCancelled,
                                  TaskStatus::kTimeout, TaskStatus::kNodeFail}) {
    EXPECT_TRUE(slurm::has_ended(status)) << slurm::status_name(status);
  }
}

TEST(LauncherChoice, SrunOnlyWhereItKnowsPmix) {
  slurm::Capabilities with, without;
  with.pmix = true;
  with.pmix_reason = "srun lists pmix";
  without.pmix_reason = "srun lists none, pmi2";
  EXPECT_EQ(slurm::choose_launcher("auto", 2, with).launcher, "srun");
  EXPECT_EQ(slurm::choose_launcher("auto", 2, without).launcher, "mpirun");
  EXPECT_EQ(slurm::choose_launcher("auto", 2, without).reason, "srun lists none, pmi2");
  EXPECT_EQ(slurm::choose_launcher("auto", 1, with).launcher, "solo");
  EXPECT_EQ(slurm::choose_launcher("mpirun", 2, with).launcher, "mpirun");
  EXPECT_THROW(slurm::choose_launcher("srun", 2, without), ConfigError);
  EXPECT_THROW(slurm::choose_launcher("prun", 2, with), ConfigError);
}

}  // namespace
}  // namespace lacuna::tests

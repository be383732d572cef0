// The samples are what SLURM 22.05.8 printed, the accounts with slurmdbd and MariaDB behind them.
#include "slurm/job_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lacuna::tests {
namespace {

using slurm::TaskState;
using slurm::TaskStatus;
using ::testing::IsEmpty;

// Columns as squeue_format() asks for them.
std::string row(const std::string& job, const std::string& index, const std::string& state,
                const std::string& exit, const std::string& restarts, const std::string& start,
                const std::string& end, const std::string& nodes, const std::string& reason) {
  return fmt::format("{:16}{:16}{:20}{:12}{:8}{:24}{:24}{:64}{:64}\n", job, index, state, exit,
                     restarts, start, end, nodes, reason);
}

TEST(JobTable, EveryStateOfSqueueIsUnderstood) {
  const std::string text =
      row("15", "0", "COMPLETED", "0", "0", "1795247456", "1795247457", "n1", "None") +
      row("15", "1", "FAILED", "256", "0", "1795247456", "1795247456", "n1", "NonZeroExitCode") +
      row("15", "2", "PENDING", "0", "1", "1795247465", "1795251065", "", "BeginTime") +
      row("15", "3", "PENDING", "0", "0", "N/A", "N/A", "", "JobArrayTaskLimit") +
      row("15", "4", "RUNNING", "0", "2", "1795247465", "1795251065", "n[1-2]", "None") +
      row("15", "5", "COMPLETING", "0", "0", "1795247465", "1795251065", "n2", "TimeLimit") +
      row("15", "6", "CANCELLED", "0", "0", "1795247465", "1795247466", "n2", "None") +
      row("15", "7", "TIMEOUT", "15", "0", "1795247465", "1795247529", "n2", "TimeLimit") +
      row("15", "8", "NODE_FAIL", "0", "0", "1795247465", "1795247529", "n2", "NodeDown") +
      row("15", "9", "OUT_OF_MEMORY", "137", "0", "1795247465", "1795247529", "n2", "OutOfMemory") +
      row("15", "10", "FAILED", "19456", "0", "1", "2", "n2", "None");
  const auto tasks = slurm::parse_squeue(text);
  ASSERT_EQ(tasks.size(), 11u);
  const TaskStatus expected[] = {
      TaskStatus::kDone,     TaskStatus::kFailed,  TaskStatus::kRequeued,  TaskStatus::kPending,
      TaskStatus::kRunning,  TaskStatus::kRunning, TaskStatus::kCancelled, TaskStatus::kTimeout,
      TaskStatus::kNodeFail, TaskStatus::kFailed,  TaskStatus::kFailed};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_EQ(tasks[i].job, "15");
    EXPECT_EQ(tasks[i].index, static_cast<int>(i));
    EXPECT_EQ(tasks[i].status, expected[i]) << i;
  }
  EXPECT_EQ(tasks[0].exit_code, 0);
  EXPECT_EQ(tasks[0].start, 1795247456);
  EXPECT_EQ(tasks[0].end, 1795247457);
  EXPECT_EQ(tasks[1].exit_code, 1);
  EXPECT_EQ(tasks[1].reason, "NonZeroExitCode");
  EXPECT_EQ(tasks[2].restarts, 1);
  EXPECT_FALSE(tasks[2].exit_code.has_value());
  EXPECT_EQ(tasks[3].start, 0);
  EXPECT_EQ(tasks[4].nodes, "n[1-2]");
  EXPECT_EQ(tasks[4].restarts, 2);
  EXPECT_EQ(tasks[4].end, 0);
  EXPECT_EQ(tasks[6].reason, "CANCELLED");  // "None" says nothing
  EXPECT_EQ(tasks[7].signal, 15);
  EXPECT_EQ(tasks[9].signal, 9);
  EXPECT_EQ(tasks[10].exit_code, 76);
}

TEST(JobTable, JobsThatAreNoArraysAreLeftOutAndAnUnknownStateWaits) {
  const std::string text = row("11", "N/A", "COMPLETED", "0", "0", "1", "2", "n1", "None") +
                           row("12", "3-7%2", "PENDING", "0", "0", "N/A", "N/A", "", "Priority") +
                           row("12", "2", "NEW_STATE", "0", "0", "N/A", "N/A", "", "Priority");
  const auto tasks = slurm::parse_squeue(text);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].status, TaskStatus::kPending);
}

TEST(JobTable, AReasonLongerThanItsColumnIsCutAndDisturbsNothing) {
  const std::string nodes(64, 'n');
  const std::string reason =
      "ReqNodeNotAvail, UnavailableNodes:n[1-3,5-7,9-11,13-15,17-19,21-23,25-27,29-31,33-35]";
  ASSERT_GT(reason.size(), 64u);
  // squeue fills a column to its width and goes on with the next, or here the next line.
  const auto tasks = slurm::parse_squeue(
      row("15", "0", "PENDING", "0", "0", "N/A", "N/A", nodes, reason.substr(0, 64)) +
      row("15", "1", "RUNNING", "0", "0", "1", "2", "n1", ""));
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].reason, reason.substr(0, 64));
  EXPECT_EQ(tasks[0].nodes, nodes);
  EXPECT_TRUE(slurm::advice(tasks[0]).starts_with("nodes that it needs are down"));
  EXPECT_EQ(tasks[1].status, TaskStatus::kRunning);
}

TEST(JobTable, LinesOfAnotherProgramAreReportedAndNotGuessedAt) {
  for (const char* text : {"slurm_load_jobs error: something\n", "15\n", "{\"jobs\": []}\n"}) {
    try {
      slurm::parse_squeue(text);
      FAIL() << text;
    } catch (const slurm::SchedulerError& error) {
      EXPECT_EQ(error.kind(), slurm::SchedulerError::Kind::kUnreadable);
    }
  }
  EXPECT_THROW(slurm::parse_sacct("SLURM is upgraded today|\n"), slurm::SchedulerError);
  EXPECT_THAT(slurm::parse_squeue(""), IsEmpty());
  EXPECT_THAT(slurm::parse_squeue("\n"), IsEmpty());
}

TEST(JobTable, AccountsTellHowTasksEndedAndNotWhyTheyOnceWaited) {
  const auto tasks = slurm::parse_sacct(
      "1_0|COMPLETED|0:0|1795250759|1795250760|n1\n"
      "1_1|FAILED|3:0|1795250759|1795250760|n1\n"
      "1_1.batch|FAILED|3:0|1795250759|1795250760|n1\n"
      "1_3|CANCELLED by 0|0:0|1795250760|1795250768|n2\n"
      "2_[0-3]|PENDING|0:0|Unknown|Unknown|None assigned\n"
      "3|COMPLETED|0:0|1795250760|1795250768|n2\n");
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].status, TaskStatus::kDone);
  EXPECT_EQ(tasks[0].start, 1795250759);
  EXPECT_EQ(tasks[1].status, TaskStatus::kFailed);
  EXPECT_EQ(tasks[1].exit_code, 3);
  EXPECT_EQ(tasks[1].nodes, "n1");
  EXPECT_EQ(tasks[2].index, 3);
  EXPECT_EQ(tasks[2].status, TaskStatus::kCancelled);
  EXPECT_EQ(tasks[2].reason, "CANCELLED by 0");
}

TEST(JobTable, EndedJobsAreReadFromTheListThatSlurmKeepsWithoutAccounts) {
  const std::string text =
      "JobId=17 UserId=root(0) GroupId=root(0) Name=abc JobState=COMPLETED Partition=main "
      "TimeLimit=60 StartTime=2026-11-21T07:50:56 EndTime=2026-11-21T07:50:57 NodeList=n1 "
      "NodeCnt=1 ProcCnt=1 WorkDir=/tmp/ ArrayTaskId=9 ExitCode=9:9 ReservationName= Tres=cpu=1 "
      "Account= QOS= WcKey= Cluster=unknown SubmitTime=2026-11-21T07:50:56 "
      "EligibleTime=2026-11-21T07:50:56 ArrayJobId=15 ArrayTaskId=0 DerivedExitCode=0:0 "
      "ExitCode=0:0 \n"
      "JobId=15 UserId=root(0) GroupId=root(0) Name=abc JobState=PENDING Partition=main "
      "NodeList=n1 WorkDir=/tmp ArrayJobId=15 ArrayTaskId=2 DerivedExitCode=0:0 ExitCode=0:0 \n"
      "JobId=15 UserId=root(0) GroupId=root(0) Name=abc JobState=FAILED Partition=main "
      "NodeList=n3 WorkDir=/tmp ArrayJobId=15 ArrayTaskId=2 DerivedExitCode=0:0 ExitCode=2:0 \n"
      "JobId=18 UserId=root(0) GroupId=root(0) Name=abc JobState=FAILED Partition=main "
      "NodeList=n1 WorkDir=/tmp ArrayJobId=15 ArrayTaskId=1 DerivedExitCode=0:0 ExitCode=1:0 \n"
      "JobId=18 UserId=root(0) GroupId=root(0) Name=abc JobState=PENDING Partition=main "
      "NodeList=n1 WorkDir=/tmp ArrayJobId=15 ArrayTaskId=1 DerivedExitCode=0:0 ExitCode=1:0 \n"
      "JobId=19 UserId=eve(1000) GroupId=eve(1000) Name=abc JobState=COMPLETED NodeList=n1 "
      "WorkDir=/tmp ArrayJobId=15 ArrayTaskId=3 DerivedExitCode=0:0 ExitCode=0:0 \n"
      "JobId=20 UserId=root(0) GroupId=root(0) Name=wrap JobState=COMPLETED NodeList=n1 "
      "WorkDir=/tmp DerivedExitCode=0:0 ExitCode=0:0 \n";
  const auto tasks = slurm::parse_completions(text, 0);
  ASSERT_EQ(tasks.size(), 2u);  // 15_1 was requeued: not ended
  EXPECT_EQ(tasks[0].index, 0);
  EXPECT_EQ(tasks[0].status, TaskStatus::kDone);
  EXPECT_EQ(tasks[0].exit_code, 0);
  EXPECT_EQ(tasks[1].index, 2);
  EXPECT_EQ(tasks[1].status, TaskStatus::kFailed);
  EXPECT_EQ(tasks[1].exit_code, 2);
  EXPECT_EQ(tasks[1].nodes, "n3");
}

}  // namespace
}  // namespace lacuna::tests

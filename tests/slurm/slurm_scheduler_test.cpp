// The command line of SLURM, played by small programs in a folder.
#include "slurm/slurm_scheduler.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "slurm/job_table.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using slurm::SchedulerError;
using slurm::TaskStatus;
using Kind = slurm::SchedulerError::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kConfig =
    "Configuration data as of 2026-11-21T07:47:27\n"
    "AccountingStorageType   = accounting_storage/none\n"
    "JobCompLoc              = /nonexistent/jobcomp\n"
    "JobCompType             = jobcomp/none\n"
    "MaxArraySize            = 1001\n"
    "SchedulerParameters     = sched_interval=2,max_array_tasks=500\n"
    "SLURM_VERSION           = 22.05.8\n";

class SlurmScheduler : public ::testing::Test {
 protected:
  SlurmScheduler() {
    fs::create_directories(folder_ / "bin");
    config(kConfig);
  }

  void program(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / "bin" / name) << "#!/bin/bash\nprintf '%s\\n' \"" << name
                                          << "\" \"$@\" >> '" << folder_.text("calls") << "'\n"
                                          << text;
    fs::permissions(folder_ / "bin" / name, fs::perms::owner_all);
  }
  void prints(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / (name + ".txt")) << text;
    program(name, "cat '" + folder_.text(name + ".txt") + "'\n");
  }
  void refuses(const std::string& name, const std::string& words) {
    program(name, "echo '" + words + "' >&2; exit 1\n");
  }
  void config(const std::string& text) { prints("scontrol", text); }

  slurm::SlurmScheduler scheduler(double deadline = 30) {
    return slurm::SlurmScheduler(slurm::Commands(folder_ / "bin", deadline));
  }
  slurm::ArrayRequest request() const {
    slurm::ArrayRequest request;
    request.name = "study";
    request.tasks = {"first", "second"};
    request.folder = folder_ / "a b";
    request.logs = folder_ / "logs";
    request.command = {"true"};
    return request;
  }
  std::string calls() const { return read_text(folder_ / "calls"); }

  // The error of a submission.
  SchedulerError refusal(double deadline = 30) {
    try {
      scheduler(deadline).submit(request());
    } catch (const SchedulerError& error) {
      return error;
    }
    throw Error("it was submitted");
  }

  const Scratch folder_;
};

TEST_F(SlurmScheduler, SubmitsTheFilesThatItWroteAndReturnsTheId) {
  for (const char* answer : {"123\n", "123;cluster\n"}) {
    prints("sbatch", answer);
    EXPECT_EQ(scheduler().submit(request()), "123");
  }
  EXPECT_EQ(read_text(folder_ / "a b" / "study.tasks"), "first\nsecond\n");
  EXPECT_THAT(read_text(folder_ / "a b" / "study.sbatch"), HasSubstr("#SBATCH --array=0-1\n"));
  EXPECT_TRUE(fs::exists(folder_ / "logs"));
  EXPECT_THAT(calls(), HasSubstr("sbatch\n--parsable\n--output=" + folder_.text("logs") +
                                 "/%A_%a.log\n" + folder_.text("a b") + "/study.sbatch\n"));
}

TEST_F(SlurmScheduler, ARefusalIsShownInSlurmsWordsWithARemedy) {
  refuses("sbatch", "sbatch: error: invalid partition specified: gpu");
  const SchedulerError partition = refusal();
  EXPECT_EQ(partition.kind(), Kind::kRefused);
  EXPECT_THAT(partition.what(), HasSubstr("sbatch: error: invalid partition specified: gpu"));
  EXPECT_THAT(partition.what(), HasSubstr("resources.partition"));
  refuses("sbatch", "sbatch: error: strange words");
  EXPECT_THAT(refusal().what(), HasSubstr("strange words"));
  EXPECT_THAT(refusal().what(), HasSubstr("The command was: sbatch --parsable"));
}

TEST_F(SlurmScheduler, WhetherItMayHaveBeenSubmittedIsTold) {
  refuses("sbatch", "sbatch: error: Batch job submission failed: Socket timed out on send/recv");
  EXPECT_EQ(refusal().kind(), Kind::kNoAnswer);
  refuses("sbatch", "sbatch: error: Unable to contact slurm controller (connect failure)");
  EXPECT_EQ(refusal().kind(), Kind::kMissing);
  refuses("sbatch", "sbatch: fatal: Could not establish a configuration source");
  EXPECT_EQ(refusal().kind(), Kind::kMissing);
  refuses("sbatch", "sbatch: fatal: Unable to process configuration file");
  EXPECT_EQ(refusal().kind(), Kind::kMissing);
  prints("sbatch", "Submitted\n");
  EXPECT_EQ(refusal().kind(), Kind::kUnreadable);
}

TEST_F(SlurmScheduler, AMissingCommandIsNamed) {
  const SchedulerError error = refusal();
  EXPECT_EQ(error.kind(), Kind::kMissing);
  EXPECT_THAT(error.what(), HasSubstr("sbatch cannot be started"));
  EXPECT_THAT(error.what(), HasSubstr("login node"));
}

TEST_F(SlurmScheduler, AHangingCommandIsEndedAtItsDeadline) {
  program("sbatch", "echo 'sbatch: slow today' >&2; sleep 1000\n");
  const SchedulerError error = refusal(0.3);
  EXPECT_EQ(error.kind(), Kind::kNoAnswer);
  EXPECT_THAT(error.what(), HasSubstr("sbatch gave no answer"));
  EXPECT_THAT(error.what(), HasSubstr("slow today"));
}

std::string row(const std::string& job, const std::string& index, const std::string& state) {
  return fmt::format("{:16}{:16}{:20}{:12}{:8}{:24}{:24}{:64}{:64}\n", job, index, state, "0", "0",
                     "1", "2", "n1", "None");
}

TEST_F(SlurmScheduler, AsksOnceForAllArraysAndSortsTheAnswer) {
  prints("squeue", row("9", "10", "RUNNING") + row("9", "2", "COMPLETED") +
                       row("8", "0", "PENDING") + row("7", "0", "RUNNING"));
  const auto tasks = scheduler().query({"9", "8"});
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].job, "8");
  EXPECT_EQ(tasks[1].index, 2);
  EXPECT_EQ(tasks[2].index, 10);
  EXPECT_EQ(tasks[2].status, TaskStatus::kRunning);
  const std::string text = calls();
  EXPECT_EQ(text.find("squeue"), text.rfind("squeue"));
  EXPECT_THAT(text, HasSubstr("--array\n--states=all\n"));
}

TEST_F(SlurmScheduler, ForgottenTasksComeFromTheAccountsAndWhatIsLiveFromTheQueue) {
  std::string text = kConfig;
  text.replace(text.find("accounting_storage/none"), 23, "accounting_storage/slurmdbd");
  config(text);
  prints("squeue", row("9", "1", "RUNNING"));
  prints("sacct",
         "9_0|COMPLETED|0:0|1795247456|1795247457|n1\n"
         "9_1|FAILED|76:0|1795247456|1795247457|n2\n"
         "9_[3-7]|PENDING|0:0|Unknown|Unknown|None assigned\n");
  const auto tasks = scheduler().query({"9"});
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].status, TaskStatus::kDone);
  EXPECT_EQ(tasks[0].end, 1795247457);
  EXPECT_EQ(tasks[1].status, TaskStatus::kRunning);  // requeued since
  EXPECT_TRUE(scheduler().capabilities().accounting);
  // A data base that is down costs the old tasks, not the answer.
  refuses("sacct", "sacct: error: Problem talking to the database: Connection refused");
  EXPECT_EQ(scheduler().query({"9"}).size(), 1u);
}

TEST_F(SlurmScheduler, WithoutAccountsForgottenTasksComeFromTheListOfEndedJobs) {
  std::ofstream(folder_ / "jobcomp.txt")
      << "JobId=9 UserId=me(" << ::geteuid()
      << ") Name=x JobState=FAILED NodeList=n1 WorkDir=/ ArrayJobId=9 ArrayTaskId=4 "
         "DerivedExitCode=0:0 ExitCode=77:0 \n";
  std::string text = kConfig;
  text.replace(text.find("/nonexistent/jobcomp"), 20, folder_.text("jobcomp.txt"));
  text.replace(text.find("jobcomp/none"), 12, "jobcomp/filetxt");
  config(text);
  prints("squeue", "");
  const auto tasks = scheduler().query({"9"});
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].index, 4);
  EXPECT_EQ(tasks[0].exit_code, 77);
  EXPECT_TRUE(scheduler().capabilities().completions);
}

TEST_F(SlurmScheduler, NothingIsAskedWhenNothingWasSubmitted) {
  EXPECT_THAT(scheduler().query({}), IsEmpty());
  scheduler().cancel({});
  EXPECT_EQ(calls(), "");
}

TEST_F(SlurmScheduler, AUsersDefaultsDoNotChangeTheQuestion) {
  ::setenv("SQUEUE_PARTITION", "other", 1);
  ::setenv("SLURM_CPUS_PER_TASK", "64", 1);
  ::setenv("SBATCH_ARRAY_INX", "0-99", 1);
  ::setenv("SBATCH_ACCOUNT", "brain", 1);
  program("squeue", "env >'" + folder_.text("seen") + "'\n");
  scheduler().query({"1"});
  for (const char* name :
       {"SQUEUE_PARTITION", "SLURM_CPUS_PER_TASK", "SBATCH_ARRAY_INX", "SBATCH_ACCOUNT"}) {
    ::unsetenv(name);
  }
  const std::string seen = read_text(folder_ / "seen");
  EXPECT_THAT(seen, Not(HasSubstr("SQUEUE_PARTITION")));
  EXPECT_THAT(seen, Not(HasSubstr("SLURM_CPUS_PER_TASK")));
  EXPECT_THAT(seen, Not(HasSubstr("SBATCH_ARRAY_INX")));
  EXPECT_THAT(seen, HasSubstr("SBATCH_ACCOUNT=brain"));
  EXPECT_THAT(seen, HasSubstr("SLURM_TIME_FORMAT=%s"));
}

TEST_F(SlurmScheduler, CancelsArraysAndTasksAndForgivesWhatHasEnded) {
  program("scancel", "");
  scheduler().cancel({"12", "13_4"});
  EXPECT_EQ(calls(), "scancel\n12\n13_4\n");
  refuses("scancel", "scancel: error: Kill job error on job id 12: Invalid job id specified");
  scheduler().cancel({"12"});
  refuses("scancel", "scancel: error: Kill job error on job id 12: Access/permission denied");
  EXPECT_THROW(scheduler().cancel({"12"}), SchedulerError);
  EXPECT_THROW(scheduler().cancel({"--user=root"}), ConfigError);
  EXPECT_THROW(scheduler().cancel({"1; id"}), ConfigError);
}

TEST_F(SlurmScheduler, FindsArraysByName) {
  prints("squeue", "41                  \n41                  \n40                  \n");
  EXPECT_THAT(scheduler().find("study"), ElementsAre("40", "41"));
  EXPECT_THAT(calls(), HasSubstr("--name=study\n"));
}

TEST_F(SlurmScheduler, TheSmallerLimitOfArraysCounts) {
  EXPECT_EQ(scheduler().limits().max_array_size, 500);
  config("MaxArraySize            = 0\n");
  EXPECT_THROW(scheduler().limits(), SchedulerError);
  config("nothing of the kind\n");
  EXPECT_THROW(scheduler().limits(), SchedulerError);
}

TEST_F(SlurmScheduler, PmixIsFoundWhereverItIsListedAndItsAbsenceExplained) {
  prints("srun", "MPI plugin types are...\n\tpmix\n\tnone\n\tpmi2\n");
  EXPECT_TRUE(scheduler().capabilities().pmix);
  program("srun", "echo 'srun: pmix_v3' >&2\n");  // older versions list on standard error
  EXPECT_TRUE(scheduler().capabilities().pmix);
  prints("srun", "MPI plugin types are...\n\tnone\n\tpmi2\n");
  EXPECT_FALSE(scheduler().capabilities().pmix);
  EXPECT_THAT(scheduler().capabilities().pmix_reason, HasSubstr("names only none pmi2"));
  fs::remove(folder_ / "bin" / "srun");
  EXPECT_FALSE(scheduler().capabilities().pmix);
  EXPECT_THAT(scheduler().capabilities().pmix_reason, HasSubstr("cannot be started"));
  EXPECT_EQ(scheduler().capabilities().version, "22.05.8");
}

}  // namespace
}  // namespace lacuna::tests

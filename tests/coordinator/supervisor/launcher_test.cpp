#include "coordinator/supervisor/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::coordinator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

LaunchFacts desktop() {
  LaunchFacts facts;
  facts.cores = 8;
  facts.has_mpirun = true;
  return facts;
}

LaunchFacts job(const std::string& nodes) {
  LaunchFacts facts = desktop();
  facts.has_srun = facts.srun_has_pmix = true;
  facts.environment = {{"SLURM_JOB_ID", "17"}, {"SLURM_JOB_NUM_NODES", nodes}};
  return facts;
}

LaunchRequest request(int ranks, Launcher launcher = Launcher::kAuto) {
  LaunchRequest asked;
  asked.launcher = launcher;
  asked.ranks = ranks;
  asked.program = {"/opt/my lacuna", "train", "a b.json"};
  return asked;
}

std::string joined(const LaunchPlan& plan) {
  std::string text;
  for (const std::string& word : plan.command) text += word + " ";
  return text;
}

std::string refusal(const LaunchRequest& asked, const LaunchFacts& facts) {
  try {
    plan_launch(asked, facts);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Launcher, OneRankOfItsOwnIsTheProgramItself) {
  LaunchRequest asked = request(1, Launcher::kSolo);
  asked.environment = {{"LACUNA_RUN_ID", "7"}};
  LaunchFacts facts = desktop();
  facts.has_mpirun = false;
  const LaunchPlan plan = plan_launch(asked, facts);
  EXPECT_EQ(plan.command, asked.program);
  EXPECT_EQ(plan.environment, asked.environment);
}

TEST(Launcher, WithoutRoomInSharedMemoryRanksTalkOverLoopbackAndItIsSaidOnce) {
  LaunchRequest asked = request(4);
  asked.scratch = "/dev/shm/run";
  LaunchFacts facts = desktop();
  facts.shared_memory_free = shared_memory_needed(4);
  EXPECT_EQ(plan_launch(asked, facts).warning, "");
  --facts.shared_memory_free;
  const LaunchPlan plan = plan_launch(asked, facts);
  EXPECT_THAT(plan.warning, HasSubstr("/dev/shm has 24.0 MiB free, 4 ranks want 24"));
  EXPECT_THAT(plan.environment, Contains(Pair("OMPI_MCA_btl", "self,tcp")));
  EXPECT_THAT(plan.environment, Not(Contains(Pair(HasSubstr("OMPI_MCA_orte"), "/dev/shm/run"))));
  facts.environment["OMPI_MCA_btl"] = "self,vader";  // who asks for it gets it
  EXPECT_EQ(plan_launch(asked, facts).warning, "");
  EXPECT_EQ(plan_launch(request(2), job("2")).warning, "");
}

TEST(Launcher, OnOneHostItIsMpirunWithoutBindingAndTheCoresAreShared) {
  LaunchRequest asked = request(2);
  asked.environment = {{"LACUNA_RESTARTS", "1"}};
  asked.scratch = "/dev/shm/run";
  const LaunchPlan plan = plan_launch(asked, desktop());
  EXPECT_THAT(plan.command,
              ElementsAre("mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none", "--mca",
                          "odls_base_sigkill_timeout", "1", "/opt/my lacuna", "train", "a b.json"));
  EXPECT_THAT(plan.environment, Contains(Pair("OMP_NUM_THREADS", "4")));
  EXPECT_THAT(plan.environment, Contains(Pair("OMPI_MCA_btl", "self,vader")));
  EXPECT_THAT(plan.environment, Contains(Pair("LACUNA_RESTARTS", "1")));
  EXPECT_THAT(plan.environment,
              Contains(Pair("OMPI_MCA_btl_vader_backing_directory", "/dev/shm/run")));
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMPI_MCA_mpi_yield_when_idle"))));
  EXPECT_EQ(plan.launcher, "mpirun");
  EXPECT_EQ(plan.reason, "on this host, no SLURM job");
}

TEST(Launcher, MoreRanksThanCoresYieldAndGetAThreadEach) {
  LaunchFacts facts = desktop();
  facts.cores = 2;
  const LaunchPlan plan = plan_launch(request(4), facts);
  EXPECT_THAT(plan.environment, Contains(Pair("OMPI_MCA_mpi_yield_when_idle", "1")));
  EXPECT_THAT(plan.environment, Contains(Pair("OMP_NUM_THREADS", "1")));
}

TEST(Launcher, OnlyRootAllowsRoot) {
  EXPECT_THAT(joined(plan_launch(request(2), desktop())), Not(HasSubstr("root")));
  LaunchFacts facts = desktop();
  facts.is_root = true;
  EXPECT_THAT(plan_launch(request(2), facts).command, Contains("--allow-run-as-root"));
}

TEST(Launcher, SettingsOfTheUserAreKept) {
  LaunchFacts facts = desktop();
  facts.environment = {{"OMPI_MCA_btl", "self,tcp"}, {"OMP_NUM_THREADS", "3"}};
  const LaunchPlan plan = plan_launch(request(2), facts);
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMPI_MCA_btl"))));
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMP_NUM_THREADS"))));
}

TEST(Launcher, InsideAJobItIsSrunWithPmixWhichKillsTheOthersWhenOneFails) {
  LaunchFacts facts = job("4");
  facts.environment["SLURM_CPUS_PER_TASK"] = "6";
  const LaunchPlan plan = plan_launch(request(8), facts);
  EXPECT_THAT(plan.command,
              ElementsAre("srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--ntasks=8",
                          "--cpus-per-task=6", "/opt/my lacuna", "train", "a b.json"));
  // srun's binding decides, and shared memory of one host is not enough.
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMP_NUM_THREADS"))));
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMPI_MCA_btl"))));
  EXPECT_EQ(plan.reason, "inside SLURM job 17, srun has pmix");
}

TEST(Launcher, InsideAJobWithoutPmixItIsMpirunOverTheNodes) {
  LaunchFacts facts = job("2");
  facts.srun_has_pmix = false;
  facts.environment["SLURM_CPUS_ON_NODE"] = "16";
  LaunchRequest asked = request(4);
  asked.environment = {{"LACUNA_RUN_ID", "ab"}};
  const LaunchPlan plan = plan_launch(asked, facts);
  EXPECT_THAT(joined(plan), HasSubstr("-x LACUNA_RUN_ID "));
  EXPECT_THAT(joined(plan), HasSubstr("-x OMP_NUM_THREADS "));
  EXPECT_THAT(joined(plan), Not(HasSubstr("isolated")));
  EXPECT_THAT(plan.environment, Contains(Pair("OMP_NUM_THREADS", "8")));  // 2 ranks a node
  EXPECT_THAT(plan.environment, Not(Contains(Key("OMPI_MCA_btl"))));
  EXPECT_EQ(plan.reason, "srun does not list pmix");
}

TEST(Launcher, MpirunOnTheOneNodeOfAJobDoesNotAskSlurm) {
  const LaunchPlan plan = plan_launch(request(2, Launcher::kMpirun), job("1"));
  EXPECT_THAT(joined(plan), HasSubstr("--mca ras ^slurm --mca plm isolated /opt/my lacuna"));
  EXPECT_EQ(plan.reason, "asked for");
}

TEST(Launcher, WhatIsMissingIsNamedWithARemedy) {
  EXPECT_THAT(refusal(request(2), LaunchFacts{}), HasSubstr("openmpi-bin"));
  EXPECT_THAT(refusal(request(2, Launcher::kSrun), desktop()), HasSubstr("srun is not on PATH"));
  LaunchFacts facts = desktop();
  facts.has_srun = true;
  EXPECT_THAT(refusal(request(2, Launcher::kSrun), facts), HasSubstr("no SLURM job"));
  EXPECT_THROW(launcher_named("ssh"), ConfigError);
}

}  // namespace
}  // namespace lacuna::coordinator

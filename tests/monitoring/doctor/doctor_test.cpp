#include "monitoring/doctor/doctor.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/base/faulty_file_system.h"

namespace lacuna::monitoring {
namespace {

using testing::HasSubstr;
using Verdict = Finding::Verdict;

constexpr std::uint64_t kGiB = 1ull << 30;

MachineFacts good_machine() {
  MachineFacts facts;
  facts.cores = facts.machine_cores = 8;
  facts.cpu_flags = {"avx2", "fma"};
  facts.memory_bytes = 64 * kGiB;
  facts.available_memory_bytes = 32 * kGiB;
  facts.open_files = 4096;
  facts.shared_memory_bytes = facts.free_shared_memory_bytes = kGiB;
  facts.free_disk_bytes = 100 * kGiB;
  return facts;
}

Finding find(const std::vector<Finding>& findings, const std::string& name) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& each) { return each.name == name; });
  return found == findings.end() ? Finding{} : *found;
}

TEST(Doctor, HasNothingToSayAboutAGoodMachine) {
  for (const Finding& finding : judge_machine(good_machine())) {
    EXPECT_EQ(finding.verdict, Verdict::kGood) << finding.name;
    EXPECT_EQ(finding.advice, "") << finding.name;
  }
}

TEST(Doctor, AdvisesOnEachShortage) {
  MachineFacts facts = good_machine();
  facts.cores = 1;
  facts.available_memory_bytes = 2 * kGiB;
  facts.open_files = 256;
  facts.shared_memory_bytes = facts.free_shared_memory_bytes = 1u << 20;
  facts.free_disk_bytes = 5 * kGiB;
  const auto findings = judge_machine(facts);
  for (const char* name : {"cores", "memory", "open files", "/dev/shm", "free space"}) {
    EXPECT_EQ(find(findings, name).verdict, Verdict::kAdvice) << name;
    EXPECT_NE(find(findings, name).advice, "") << name;
  }
  EXPECT_FALSE(has_problem(findings));
}

TEST(Doctor, CallsItAProblemWhenTrainingCannotWork) {
  MachineFacts facts = good_machine();
  facts.free_disk_bytes = kGiB / 2;
  EXPECT_TRUE(has_problem(judge_machine(facts)));
  facts = good_machine();
  facts.cpu_flags = {"sse2"};
  EXPECT_TRUE(has_problem(judge_machine(facts)));
  facts = good_machine();
  facts.available_memory_bytes = kGiB / 2;
  EXPECT_TRUE(has_problem(judge_machine(facts)));
}

TEST(Doctor, AdvisesFewerThreadsUnderAQuota) {
  MachineFacts facts = good_machine();
  facts.quota_cores = 2;
  EXPECT_THAT(find(judge_machine(facts), "cores").advice, HasSubstr("train.threads to 2"));
}

TEST(Doctor, SaysWhetherBf16Pays) {
  MachineFacts facts = good_machine();
  EXPECT_THAT(find(judge_machine(facts), "instructions").value, HasSubstr("no bf16 arithmetic"));
  facts.cpu_flags.push_back("amx_bf16");
  EXPECT_THAT(find(judge_machine(facts), "instructions").value, HasSubstr("bf16 is fast here"));
}

TEST(Doctor, TellsAMissingDriverFromAMissingGpu) {
  GpuFacts facts;
  facts.runtime_version = 13000;
  EXPECT_EQ(find(judge_gpus(facts), "driver").verdict, Verdict::kGood);
  facts.device_nodes = true;
  EXPECT_EQ(find(judge_gpus(facts), "driver").verdict, Verdict::kProblem);
  facts.driver_version = 12040;
  EXPECT_THAT(find(judge_gpus(facts), "driver").advice, HasSubstr("CUDA 13.0"));
  facts.driver_version = 13010;
  EXPECT_THAT(find(judge_gpus(facts), "driver").value, HasSubstr("CUDA up to 13.1"));
  EXPECT_EQ(find(judge_gpus(facts), "devices").verdict, Verdict::kAdvice);
  facts.gpus = {{"Test", 80 * kGiB, 7, 5}};
  EXPECT_EQ(find(judge_gpus(facts), "device 0").verdict, Verdict::kAdvice);
  EXPECT_THAT(find(judge_gpus(facts), "device 0").value, HasSubstr("80 GiB"));
}

TEST(Doctor, ProbesADiskAndLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const Finding finding = probe_disk(posix_file_system(), steady_clock(), directory.path());
  EXPECT_NE(finding.verdict, Verdict::kProblem) << finding.value;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Doctor, ReportsADiskThatIsFull) {
  const TemporaryDirectory directory, stash;
  FaultyFileSystem files(stash.path());
  files.free_bytes = 1 << 20;
  const Finding finding = probe_disk(files, steady_clock(), directory.path());
  EXPECT_EQ(finding.verdict, Verdict::kProblem);
  EXPECT_THAT(finding.value, HasSubstr("No space left on device"));
}

TEST(Doctor, AdvisesWhenSavingIsSlow) {
  const TemporaryDirectory directory;
  // A clock that moves by two seconds at every look.
  class SlowClock final : public Clock {
   public:
    double seconds() const override { return now_ += 2; }
    double unix_seconds() const override { return now_; }

   private:
    mutable double now_ = 0;
  };
  const Finding finding = probe_disk(posix_file_system(), SlowClock(), directory.path());
  EXPECT_EQ(finding.verdict, Verdict::kAdvice);
  EXPECT_THAT(finding.value, HasSubstr("in 2000 ms"));
}

TEST(Doctor, ReportsACacheThatCannotBeRead) {
  const TemporaryDirectory directory;
  const Finding finding = probe_loader(steady_clock(), directory.path(), 1);
  EXPECT_EQ(finding.verdict, Verdict::kProblem);
  EXPECT_THAT(finding.value, HasSubstr(directory.path().string()));
}

TEST(Doctor, ReadsThisMachine) {
  const MachineFacts facts = gather_machine(".");
  EXPECT_GE(facts.cores, 1);
  EXPECT_GT(facts.memory_bytes, kGiB / 4);
  EXPECT_GT(facts.open_files, 0u);
  EXPECT_FALSE(facts.cpu_flags.empty());
}

RankFacts measured_ranks(int ranks, double seconds) {
  RankFacts facts;
  facts.ranks = ranks;
  facts.cores = 2;
  facts.launcher = "mpirun";
  facts.bytes = 64'000'000;
  facts.seconds = seconds;
  facts.copy_bytes_per_second = 8e9;
  return facts;
}

// 2 ranks: each link carries the bytes once; 4 ranks: 2 * 3 / 4 of them.
TEST(Doctor, BusBandwidthIsThatOfTheTextbook) {
  EXPECT_DOUBLE_EQ(bus_bandwidth(measured_ranks(2, 0.032)), 2e9);
  EXPECT_DOUBLE_EQ(bus_bandwidth(measured_ranks(4, 0.048)), 2e9);
}

TEST(Doctor, WarnsAboutRanksBelowAQuarterOfWhatMemoryGives) {
  // Expected 8 / 4 = 2 GB/s, for four ranks on two cores half of it; a quarter: 0.5 and 0.25.
  EXPECT_EQ(judge_ranks(measured_ranks(2, 0.12)).verdict, Verdict::kGood);
  EXPECT_EQ(judge_ranks(measured_ranks(4, 0.36)).verdict, Verdict::kGood);
  const Finding slow = judge_ranks(measured_ranks(2, 0.14));
  EXPECT_EQ(slow.verdict, Verdict::kAdvice);
  EXPECT_THAT(slow.advice, HasSubstr("OMPI_MCA_btl"));
  EXPECT_EQ(judge_ranks(measured_ranks(4, 0.40)).verdict, Verdict::kAdvice);
  RankFacts network = measured_ranks(2, 0.30);  // 0.21 GB/s, expected 1
  network.hosts = 2;
  EXPECT_THAT(judge_ranks(network).advice, HasSubstr("btl_tcp_if_include"));
}

TEST(Doctor, RanksThatCannotBeStartedAreAProblemWithItsRemedy) {
  RankFacts facts = measured_ranks(2, 1);
  facts.problem = "no mpirun";
  facts.remedy = "install it";
  const Finding finding = judge_ranks(facts);
  EXPECT_EQ(finding.verdict, Verdict::kProblem);
  EXPECT_EQ(finding.value, "no mpirun");
  EXPECT_EQ(finding.advice, "install it");
}

}  // namespace
}  // namespace lacuna::monitoring

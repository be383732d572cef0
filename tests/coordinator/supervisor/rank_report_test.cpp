#include "coordinator/supervisor/rank_report.h"

#include <gtest/gtest.h>

namespace lacuna::coordinator {
namespace {

std::string told(const std::string& text) {
  const auto end = find_rank_report(text);
  return end ? describe(*end) : "nothing";
}

// Texts as Open MPI 4.1.4 and SLURM 22.05 print them.
TEST(RankReport, ReadsTheReportsOfMpirun) {
  EXPECT_EQ(told("mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 "
                 "(Killed).\n"),
            "rank 1 on vm was killed by signal 9 (Killed)");
  EXPECT_EQ(told("The first process to do so was:\n\n  Process name: [[25152,1],3]\n"
                 "  Exit code:    76\n-----\n"),
            "rank 3 ended with exit code 76");
}

TEST(RankReport, ReadsTheReportsOfSrun) {
  EXPECT_EQ(told("srun: error: n2: task 1: Exited with exit code 76\n"),
            "rank 1 on n2 ended with exit code 76");
  EXPECT_EQ(told("srun: error: n1: task 0: Killed\n"),
            "rank 0 on n1 was killed by signal 9 (Killed)");
}

TEST(RankReport, OfAllTasksThatSrunEndsTheFirstIsTheCause) {
  EXPECT_EQ(told("srun: error: n1: task 0: Killed\nsrun: error: n2: task 1: Killed\n"),
            "rank 0 on n1 was killed by signal 9 (Killed)");
  EXPECT_EQ(told("srun: error: n2: task 1: Exited with exit code 75\n"
                 "slurmstepd-n1: error: *** STEP 43.1 ON n1 CANCELLED AT 2026-11-21T17:46:06 ***\n"
                 "srun: error: n1: task 0: Terminated\n"),
            "rank 1 on n2 ended with exit code 75");
  EXPECT_EQ(told("srun: error: n2: task 1: Exited with exit code 76\n"
                 "srun: error: n1: task 0: Segmentation fault (core dumped)\n"),
            "rank 0 on n1 was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(told("srun: error: n3: tasks 4-5,7: Exited with exit code 2\n"),
            "rank 4 on n3 ended with exit code 2");
}

TEST(RankReport, OtherTextSaysNothing) {
  EXPECT_EQ(told("info: rank 1 ended\nExit code: 3\n"), "nothing");
}

}  // namespace
}  // namespace lacuna::coordinator

// Starts mpirun on a body of the running test program: TEST(RankBody, DISABLED_<body>), disabled so
// that it runs only there.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/wait.h>

namespace lacuna {

// Settings for several ranks on one machine that has fewer cores.
inline std::string mpirun_command(int ranks) {
  return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
         "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl=self,vader OMP_NUM_THREADS=1 "
         "mpirun --oversubscribe --bind-to none -n " +
         std::to_string(ranks) + " ";
}

// mpirun's exit code; what it prints about failed ranks is left out.
inline int run_ranks(int ranks, const std::string& body) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = mpirun_command(ranks) + self +
                              " --gtest_brief=1 --gtest_also_run_disabled_tests "
                              "--gtest_filter=RankBody.DISABLED_" +
                              body;
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace lacuna

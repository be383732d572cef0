// Real ranks: starts mpirun on one body of this test program. Bodies are TEST(RankBody,
// DISABLED_<name>), so that they run only there.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/wait.h>

namespace lacuna::comm {

// The exit code of mpirun; -1 when it did not end by itself.
inline int run_ranks(int ranks, const std::string& body) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 "
      "OMPI_MCA_btl=self,vader OMP_NUM_THREADS=1 mpirun --oversubscribe --bind-to none -n " +
      std::to_string(ranks) + " " + self +
      " --gtest_also_run_disabled_tests --gtest_filter=RankBody.DISABLED_" + body;
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace lacuna::comm

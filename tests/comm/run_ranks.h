// Starts mpirun on a body of the running test program: TEST(RankBody, DISABLED_<body>), disabled so
// that it runs only there.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace lacuna {

// Settings for several ranks on one machine that has fewer cores.
inline std::string mpirun_command(int ranks) {
  return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
         "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl=self,vader OMP_NUM_THREADS=1 "
         "mpirun --oversubscribe --bind-to none -n " +
         std::to_string(ranks) + " ";
}

// GoogleTest ends with 0 when a filter matches nothing: a body that was renamed would pass.
inline bool is_rank_body(const std::string& name) {
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const auto& suite = *all.GetTestSuite(s);
    if (suite.name() != std::string("RankBody")) continue;
    for (int t = 0; t < suite.total_test_count(); ++t) {
      if (suite.GetTestInfo(t)->name() == "DISABLED_" + name) return true;
    }
  }
  return false;
}

// mpirun's exit code; what it prints about failed ranks is left out.
inline int run_ranks(int ranks, const std::string& body) {
  if (!is_rank_body(body)) {
    ADD_FAILURE() << "this program has no TEST(RankBody, DISABLED_" << body << ")";
    return -1;
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = mpirun_command(ranks) + self +
                              " --gtest_brief=1 --gtest_also_run_disabled_tests "
                              "--gtest_filter=RankBody.DISABLED_" +
                              body;
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace lacuna

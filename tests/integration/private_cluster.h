// A real SLURM of four emulated nodes for the tests of this program (tools/private-slurm): started
// when first asked for, stopped at the end, also when the program is killed. Where it cannot run,
// skip_reason() says why and the test skips.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/child_process.h"
#include "tests/run_program.h"

namespace lacuna::tests {

class PrivateCluster {
 public:
  static constexpr int kMaxArraySize = 6;

  static PrivateCluster& get() {
    static PrivateCluster cluster;
    return cluster;
  }
  ~PrivateCluster() {
    if (skip_reason_.empty()) control("stop");
  }
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  const std::string& skip_reason() const { return skip_reason_; }  // empty: it runs
  std::filesystem::path folder() const { return folder_.path() / "c"; }

  // Output of a command of SLURM that must end well.
  static std::string call(const std::vector<std::string>& command) {
    const CommandResult result = run_command({command}, kDeadline);
    EXPECT_EQ(result.code, 0) << command[0] << ": " << result.error;
    return result.output;
  }

  // The daemon of a node, or 0.
  pid_t daemon(const std::string& node) const {
    pid_t pid = 0;
    std::ifstream(folder() / "run" / ("slurmd." + node + ".pid")) >> pid;
    return pid;
  }
  void start_daemon(const std::string& node) const {
    call({"slurmd", "-f", (folder() / "slurm.conf").string(), "-N", node});
  }

 private:
  static constexpr double kDeadline = 60;

  PrivateCluster() {
    const CommandResult result = control("start");
    if (result.code == 0) {
      // For the commands of SLURM, and the jobs that get our environment.
      ::setenv("SLURM_CONF", (folder() / "slurm.conf").c_str(), 1);
      ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
      ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
      ::setenv("OMPI_MCA_mpi_yield_when_idle", "1", 1);
      // Ranks on two "nodes" share this host, so shared memory would mix them up.
      ::setenv("OMPI_MCA_btl", "self,tcp", 1);
      ::setenv("OMPI_MCA_btl_tcp_if_include", "lo", 1);
      ::setenv("OMPI_MCA_oob_tcp_if_include", "lo", 1);
    } else {
      skip_reason_ = result.error.empty() ? "tools/private-slurm failed" : result.error;
    }
  }

  CommandResult control(const std::string& action) const {
    const char* source = std::getenv("LACUNA_SOURCE");
    const std::string script = std::string(source ? source : ".") + "/tools/private-slurm";
    if (!std::filesystem::exists(script)) return {1, "", script + " is missing"};
    ChildOptions options{{script, action, folder().string()}};
    options.environment = {{"OWNER", std::to_string(::getpid())},
                           {"MAX_ARRAY", std::to_string(kMaxArraySize)}};
    return run_command(options, kDeadline);
  }

  const Scratch folder_;
  std::string skip_reason_;
};

}  // namespace lacuna::tests

// A real SLURM of four emulated nodes for the tests of this program (tools/private-slurm): started
// when first asked for, stopped at the end, also when the program is killed. Where it cannot run,
// skip_reason() says why and the test skips.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process/child_process.h"
#include "tests/run_program.h"

namespace lacuna::tests {

class PrivateCluster {
 public:
  static constexpr int kMaxArraySize = 6;

  // Sets the variables that commands of SLURM and our jobs need.
  static PrivateCluster& get() {
    static PrivateCluster cluster;
    if (cluster.skip_reason_.empty()) cluster.enter();
    return cluster;
  }
  // Puts the variables back: after each test, because others start ranks without SLURM.
  void leave() {
    for (const auto& [name, value] : former_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
    former_.clear();
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
    if (result.code == 0) return;
    skip_reason_ = result.error.empty() ? "tools/private-slurm failed" : result.error;
  }

  void enter() {
    const std::map<std::string, std::string> variables = {
        {"SLURM_CONF", (folder() / "slurm.conf").string()},
        {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
        {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
        {"OMPI_MCA_mpi_yield_when_idle", "1"},
        // Ranks on two "nodes" share this host, so shared memory would mix them up.
        {"OMPI_MCA_btl", "self,tcp"},
        {"OMPI_MCA_btl_tcp_if_include", "lo"},
        {"OMPI_MCA_oob_tcp_if_include", "lo"}};
    for (const auto& [name, value] : variables) {
      const char* before = std::getenv(name.c_str());
      former_.try_emplace(name, before ? std::optional<std::string>(before) : std::nullopt);
      ::setenv(name.c_str(), value.c_str(), 1);
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
  std::map<std::string, std::optional<std::string>> former_;  // values of variables
};

}  // namespace lacuna::tests

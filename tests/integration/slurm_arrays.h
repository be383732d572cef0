// What tests on the private cluster share: arrays of tasks, and waiting for what becomes of them.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "slurm/slurm_scheduler.h"
#include "tests/integration/private_cluster.h"

namespace lacuna::tests {

class SlurmArrays : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string& reason = PrivateCluster::get().skip_reason();
    if (!reason.empty()) GTEST_SKIP() << "no private SLURM here: " << reason;
  }

  void TearDown() override {
    if (!PrivateCluster::get().skip_reason().empty()) return;
    scheduler_.cancel(jobs_);
    PrivateCluster::get().leave();
    if (HasFailure()) {
      for (const auto& entry : std::filesystem::directory_iterator(request_logs())) {
        std::printf("%s:\n%s\n", entry.path().c_str(), read_text(entry.path()).c_str());
      }
    }
  }

  std::filesystem::path request_logs() const {
    std::filesystem::create_directories(folder_ / logs_);
    return folder_ / logs_;
  }

  slurm::ArrayRequest request(const std::vector<std::string>& tasks,
                              const std::vector<std::string>& command) const {
    slurm::ArrayRequest made;
    made.name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    made.tasks = tasks;
    made.command = command;
    made.runner = {std::getenv("LACUNA_PROGRAM"), "sweep", "job"};
    made.folder = folder_ / "array";
    made.logs = request_logs();
    return made;
  }
  std::string submit(const slurm::ArrayRequest& array) {
    jobs_.push_back(scheduler_.submit(array));
    return jobs_.back();
  }

  // Polls: SLURM tells nobody.
  template <typename Ready>
  void wait_until(const char* what, const Ready& ready) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(3);
    while (!ready()) {
      if (std::chrono::steady_clock::now() > deadline) {
        FAIL() << "waited too long for: " << what << "\n"
               << PrivateCluster::call({"squeue", "--states=all", "--array"});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  std::vector<slurm::TaskState> wait_for_end(const std::vector<std::string>& jobs,
                                             std::size_t tasks) {
    std::vector<slurm::TaskState> states;
    wait_until("the end of all tasks", [&] {
      states = scheduler_.query(jobs);
      std::size_t ended = 0;
      for (const slurm::TaskState& each : states) ended += slurm::has_ended(each.status);
      return ended == tasks;
    });
    return states;
  }
  std::string log_of(const std::string& job, int index) const {
    return read_text(request_logs() / (job + "_" + std::to_string(index) + ".log"));
  }

  const Scratch folder_;
  std::string logs_ = "logs";
  slurm::SlurmScheduler scheduler_;
  std::vector<std::string> jobs_;  // cancelled at the end
};

}  // namespace lacuna::tests

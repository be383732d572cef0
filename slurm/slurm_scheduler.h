// SLURM through its command line: sbatch, squeue, sacct, scancel, scontrol, srun.
//
// States come from squeue; of tasks that it has forgotten (MinJobAge, often five minutes after
// their end) from sacct where the cluster keeps accounts, else from its list of ended jobs where
// that is a readable file. See scheduler.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "slurm/commands.h"
#include "slurm/scheduler.h"

namespace lacuna::slurm {

class SlurmScheduler final : public Scheduler {
 public:
  // `files` must outlive it.
  explicit SlurmScheduler(Commands commands = Commands(), FileSystem& files = posix_file_system());

  std::string submit(const ArrayRequest& request) override;
  std::vector<std::string> find(const std::string& name) override;
  std::vector<TaskState> query(const std::vector<std::string>& jobs) override;
  void cancel(const std::vector<std::string>& jobs) override;
  TaskFate fate(const std::string& task, int restarts) override;
  void requeue(const std::string& task) override;
  Limits limits() override;
  Capabilities capabilities() override;

 private:
  struct Settings {  // of the cluster
    int max_array_size = 0;
    std::string version;
    bool accounting = false;
    Path completions;  // empty: none that we can read
  };
  const Settings& settings();  // asked once
  std::vector<TaskState> forgotten(const std::vector<std::string>& jobs);

  Commands commands_;
  FileSystem& files_;
  std::optional<Settings> settings_;
};

}  // namespace lacuna::slurm

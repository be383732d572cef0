// What a task of an array does around its command: staging directories on its nodes, and at the end
// whether it goes back into the queue. The script of the array (batch_script.h) starts it.
//
// 75 and 76 requeue the task, by its own `requeue`, which needs no setting by an administrator. Not
// requeued is a task that was cancelled, has had max_requeues restarts, or lost ranks twice without
// getting further. A batch system that does not answer is asked again for as long as `patience`.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "slurm/scheduler.h"

namespace lacuna::slurm {

struct JobSettings {
  std::string id;  // "12_3": never the id of the job, which for an array's last task is the array's
  std::string task;  // its name
  int restarts = 0, max_requeues = 20;
  std::filesystem::path progress;    // as ArrayRequest::progress; empty: not known
  std::filesystem::path losses;      // directory that remembers where ranks were lost, by task
  double patience = 900, pause = 5;  // seconds: for answers; between two questions
};

using Say = std::function<void(const std::string& text)>;  // to the log of the task

// After the command has ended with `code`. True when the task is back in the queue.
bool requeue_if_wanted(int code, const JobSettings& job, Scheduler& scheduler, const Say& say,
                       const std::function<void(double seconds)>& sleep);

// BASE/lacuna-JOB-<random>, made on each node of the job for its owner alone; removed at the end.
class StagingDirectory {
 public:
  // nodes > 1: through srun. Throws DataError when it cannot be made, or is not ours when made:
  // somebody else must not get what is copied there.
  StagingDirectory(const std::filesystem::path& base, const std::string& job, int nodes);
  ~StagingDirectory();
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int nodes_;
};

}  // namespace lacuna::slurm

// The batch system behind one interface: submit arrays, ask what became of their tasks, cancel.
// Real implementation: SlurmScheduler (slurm/slurm_scheduler.h). Tests: FakeScheduler
// (tests/slurm/fake_scheduler.h), which refuses, delays and loses answers.
//
// No daemon and no state of its own: what is known lies in the batch system and in the files that a
// submission leaves. Every call has a deadline. All calls throw SchedulerError; its kind() says
// whether the request may have been carried out all the same. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace lacuna::slurm {

class SchedulerError : public Error {
 public:
  enum class Kind {
    kMissing,     // its commands are not there, or no controller answers: nothing was done
    kRefused,     // it said no, in its own words within what(): nothing was done
    kNoAnswer,    // no answer before the deadline: it may have been done. After submit(): find()
    kUnreadable,  // an answer that cannot be understood: as kNoAnswer
  };
  SchedulerError(Kind kind, const std::string& text) : Error(text), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// What each task of an array gets. Texts are in SLURM's own spelling; empty: the cluster's default.
// Checked when the script is written: ConfigError names the key and what is wrong.
struct Resources {
  std::string partition, account, constraint;
  std::string time;    // "04:00:00", "2-12", minutes
  std::string memory;  // per node: "32G"
  int nodes = 1;
  int ranks = 1;  // over all nodes
  int gpus_per_rank = 0;
  int cpus_per_rank = 1;
  std::vector<std::string> extra;  // further options of sbatch: "--qos=high"
};

// One array of tasks that differ by their name only.
struct ArrayRequest {
  // Letters, digits, `.`, `_`, `-`; at most 100. Unique per submission: find() looks for it, and
  // the files of the submission are called so.
  std::string name;
  std::vector<std::string> tasks;  // their names, same characters; the index is the position
  int throttle = 0;                // so many run at once; 0: no limit
  Resources resources;
  std::vector<std::string> after;  // array ids; starts when all their tasks have ended, however
  std::filesystem::path folder;    // script and list of tasks go here; kept. Absolute
  std::filesystem::path logs;      // <array id>_<index>.log go here; must exist. Absolute
  // What each task runs, the program first (absolute or found through PATH of the node). In each
  // argument {task} stands for the task's name and {staging} for a node-local directory of the job,
  // made before and removed after on each of its nodes. No shell reads anything else in them.
  std::vector<std::string> command;
  // What runs it (job_course.h): a program that takes the options of `lacuna sweep job`.
  std::vector<std::string> runner{"lacuna", "sweep", "job"};
  std::filesystem::path staging;  // under which {staging} is made, "/tmp"; needed if it is used
  // Directory whose last entry by name tells how far a task is: {task} as above; "" = not known. A
  // task that ends with 76 twice at the same entry is not requeued again.
  std::string progress;
  int max_requeues = 20;     // after 75 (saved on request) or 76 (lost a rank)
  int signal_seconds = 180;  // the wish to stop comes so long before the time limit
};

// Written to sweep directories by name (status_name): do not rename.
enum class TaskStatus {
  kPending,
  kRunning,    // also while it completes
  kRequeued,   // has run before and waits for its next start
  kDone,       // ended with code 0
  kFailed,     // ended with another code, or killed by a signal; out of memory; did not boot
  kCancelled,  // by a person
  kTimeout,    // its time limit ended it before it could requeue itself
  kNodeFail,   // its node died, and it was not requeued
};

const char* status_name(TaskStatus status);  // "pending", "running", "requeued", "node-fail"
bool has_ended(TaskStatus status);           // will not run again by itself

struct TaskState {
  std::string job;  // id of the array
  int index = 0;    // of the task in it
  TaskStatus status = TaskStatus::kPending;
  std::string reason;            // SLURM's word for why it waits or ended: "Priority"; may be empty
  std::string nodes;             // where it runs or ran last: "n[1-2]"; may be empty
  std::optional<int> exit_code;  // once it has ended, if known
  int signal = 0;                // that killed it, 0 if none
  int restarts = 0;              // starts after the first, if known
  std::int64_t start = 0, end = 0;  // seconds since 1970; 0: not (known)
};

// What a person should know about a reason; "" when it is nothing special. A task that waits with
// DependencyNeverSatisfied, for instance, never starts.
std::string advice(const TaskState& state);
// It waits for something that will not come without a person.
bool is_stuck(const TaskState& state);

struct Limits {
  int max_array_size = 1001;  // indices go from 0 to one less
};

struct Capabilities {
  std::string version;       // "slurm-wlm 22.05.8"
  bool accounting = false;   // sacct answers: ended tasks are known for long
  bool completions = false;  // or a readable list of ended jobs (jobcomp/filetxt)
  bool pmix = false;         // `srun --mpi=list` names it
  std::string pmix_reason;   // what was seen, for people
};

// Of a task that runs and may requeue itself.
enum class TaskFate {
  kOurs,   // it runs, or its time limit ends it: it may
  kTaken,  // cancelled, or started again elsewhere: a requeue would bring it back to life
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // One array; no more tasks than limits().max_array_size (submit_all() splits). Writes the files
  // first. Returns the id of the array. Throws ConfigError for a request that cannot be right.
  virtual std::string submit(const ArrayRequest& request) = 0;
  // Ids of this user's arrays of that name that the batch system still knows. For a submission
  // whose answer was lost.
  virtual std::vector<std::string> find(const std::string& name) = 0;
  // States of the tasks of these arrays, in one question however many they are. Sorted by array
  // and index. A task that the batch system has forgotten is absent.
  virtual std::vector<TaskState> query(const std::vector<std::string>& jobs) = 0;
  // "12" cancels an array, "12_3" one task. What has ended already is no error.
  virtual void cancel(const std::vector<std::string>& jobs) = 0;
  // For a task about itself: "12_3", which has been started again `restarts` times.
  virtual TaskFate fate(const std::string& task, int restarts) = 0;
  // Puts a task that runs back into the queue; it is ended for that.
  virtual void requeue(const std::string& task) = 0;
  virtual Limits limits() = 0;
  virtual Capabilities capabilities() = 0;
};

}  // namespace lacuna::slurm

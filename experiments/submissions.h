// submissions.jsonl of a sweep directory: which arrays of the batch system hold which runs, and
// which one writes the report of them all.
//
// An array is written down before it is submitted and its id after, so that a crash or a lost
// answer in between is noticed: settle() asks the batch system for the name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/sweep_directory.h"
#include "slurm/scheduler.h"

namespace lacuna::experiments {

struct Submission {
  std::string name;
  std::string job;                // "" while it is not known whether it was accepted
  std::vector<std::string> runs;  // ids, by index of the task
  bool report = false;            // holds no run but compares them when they have ended
};

// Where a run was submitted last.
struct RunTaskId {
  std::string job;
  int index = 0;
};

class Submissions {
 public:
  // Reads what is there. Torn and damaged lines are left out.
  explicit Submissions(const SweepDirectory& directory);

  const std::vector<Submission>& all() const { return all_; }
  // Lines that are not ours: arrays that they named are unknown.
  std::size_t damaged() const { return damaged_; }
  // Name of the next array: unique among all sweeps of a user.
  std::string next_name(const std::string& sweep) const;

  // Throw DataError when it cannot be written: then nothing may be submitted.
  void about_to_submit(const std::string& name, const std::vector<std::string>& runs,
                       bool report = false);
  void submitted(const std::string& name, const std::string& job);
  // Finds the ids of arrays whose answer was lost; those that the batch system does not know were
  // never made and go away. `store`: also write it down; needs the lock.
  void settle(slurm::Scheduler& scheduler, bool store);

  std::map<std::string, RunTaskId> latest() const;  // by run
  const Submission* latest_report() const;          // nullptr: none

 private:
  void append(const Json& line) const;
  Submission* named(const std::string& name);

  Path file_, root_;
  std::vector<Submission> all_;
  std::size_t count_ = 0;  // ever made
  std::size_t damaged_ = 0;
};

}  // namespace lacuna::experiments

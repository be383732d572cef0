// Where the files of a sweep are, and the two that say what it is: docs/sweeps.md lists them all.
// Everything durable goes through a FileSystem, so that a full disk leaves the old state.
// Thread-safe as far as the file system is; one writer at a time by lock().
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/files/file_system.h"
#include "base/files/lease.h"
#include "experiments/sweep_plan.h"

namespace lacuna::experiments {

class SweepDirectory {
 public:
  // Absolute from here on. Need not exist.
  explicit SweepDirectory(const Path& root, FileSystem& files = posix_file_system());

  const Path& root() const { return root_; }
  Path plan_file() const { return root_ / "plan.json"; }
  Path definition_file() const { return root_ / "sweep.json"; }
  Path submissions_file() const { return root_ / "submissions.jsonl"; }
  Path report_file() const { return root_ / "report.html"; }
  Path jobs() const { return root_ / "jobs"; }  // scripts and lists of tasks
  Path logs() const { return root_ / "logs"; }
  Path run(const std::string& id) const { return root_ / "runs" / id; }
  Path journal(const std::string& id) const { return run(id) / "sweep.jsonl"; }
  Path config(const std::string& id) const { return root_ / "configs" / (id + ".json"); }
  Path log(const std::string& id) const { return logs() / (id + ".log"); }

  bool has_plan() const { return files_.exists(plan_file()); }
  // Makes the directories; writes both files, sweep.json first: a plan without its definition
  // cannot be extended. Throws DataError.
  void store(const SweepDefinition& definition, const SweepPlan& plan) const;
  // Throws DataError: there is none, or it is damaged.
  SweepPlan read_plan() const;
  // Of a run that starts: its run file, resolved.
  void store_config(const std::string& id, const Json& resolved) const;

  // Who holds the result may change the sweep; the others wait or go away. Throws DataError naming
  // the holder.
  std::unique_ptr<Lease> lock() const;

 private:
  Path root_;
  FileSystem& files_;
};

}  // namespace lacuna::experiments

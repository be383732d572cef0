// Runs the programs of SLURM: by argument vector, with a deadline, in a clean environment.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/process/child_process.h"

namespace lacuna::slurm {

// Times are printed as seconds since 1970; no variable of the user's changes what is asked
// (SQUEUE_PARTITION would hide jobs) or, from within another job, what a new one gets.
class Commands {
 public:
  // folder: where the programs are; empty: found through PATH.
  explicit Commands(std::filesystem::path folder = {}, double deadline_seconds = 60);

  // Standard output and error of a program that ended with code 0. Throws SchedulerError with
  // SLURM's own words and what to do about them.
  CommandResult run(const std::vector<std::string>& command) const;
  // The same, whatever the code is.
  CommandResult attempt(const std::vector<std::string>& command) const;

 private:
  std::filesystem::path folder_;
  double deadline_seconds_;
};

}  // namespace lacuna::slurm

// What is known about all runs below a directory: of a sweep (DIR/runs/*/), or runs side by side
// (DIR/*/). Each run is looked at as RunMonitor does.
//
// Not thread-safe; look() asks several runs at once, so that one that does not answer holds up
// nobody else.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/text/json.h"
#include "coordinator/monitor/run_monitor.h"

namespace lacuna::coordinator {

// Whether a directory is that of a run.
bool is_run_directory(const std::filesystem::path& directory);

class SweepMonitor {
 public:
  // Throws DataError when there is neither a run nor a plan.
  explicit SweepMonitor(std::filesystem::path directory);

  // {"directory", "counts": {state: number}, "runs": [status of each, with "label" and "note"]},
  // runs by name. A run that plan.json names and that has no directory yet is "not started".
  Json look();
  // Where a run is, or will be. May be called while another thread looks.
  std::filesystem::path run_directory(const std::string& run) const { return runs_ / run; }

 private:
  void find_runs();
  void read_plan();

  const std::filesystem::path directory_;
  std::filesystem::path runs_;
  std::map<std::string, std::unique_ptr<RunMonitor>> monitors_;  // by name
  std::map<std::string, Json> planned_;                          // by id: entries of plan.json
  std::filesystem::file_time_type plan_time_{};
};

}  // namespace lacuna::coordinator

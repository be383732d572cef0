// The files of one run directory that a trainer writes: run.json, metrics.jsonl, events.jsonl,
// checkpoints/, log/, lease. One object = the right to write there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/json_lines.h"
#include "base/lease.h"
#include "worker/run_config.h"

namespace lacuna::worker {

class RunFiles {
 public:
  // Makes the directory and takes its lease. Throws ConfigError naming the keys when it holds
  // another configuration, DataError when another process holds it.
  RunFiles(const RunConfig& config, std::filesystem::path directory);

  // Writes run.json with the provenance, or checks it against the cohort that is there. Throws
  // ConfigError when the run was started on other data.
  void settle(const RunConfig& config, const Json& cohort);
  // Opens metrics.jsonl without the lines past `step`.
  JsonLines& open_metrics(std::int64_t step);

  JsonLines& metrics() { return *metrics_; }
  void event(const std::string& kind, std::int64_t step, Json detail = Json::object());
  std::filesystem::path checkpoints() const { return directory_ / "checkpoints"; }
  bool lease_lost() const { return lease_->lost(); }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<JsonLines> metrics_, events_;
};

// Versions and host, for run.json.
Json provenance();

}  // namespace lacuna::worker

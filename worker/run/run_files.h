// The files of one run directory that a trainer writes: run.json, metrics.jsonl, events.jsonl,
// checkpoints/, log/, tensorboard/, lease. Rank 0's object = the right to write there; those of
// other ranks write only log/rank-N.log. event() may be called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/files/event_file.h"
#include "base/files/json_lines.h"
#include "base/files/lease.h"
#include "base/text/json.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

class RunFiles {
 public:
  // Hears of every line: "metrics" and "event". Never called by two threads at once.
  using Publish = std::function<void(const std::string& kind, const Json& line)>;

  // Rank 0 makes the directory and takes its lease; the others come after it. Throws ConfigError
  // naming the keys when it holds another configuration, DataError when another process holds it.
  RunFiles(const RunConfig& config, std::filesystem::path directory, int rank, Publish publish);

  // Writes run.json with the provenance, or checks it against the cohort that is there. Throws
  // ConfigError when the run was started on other data.
  void settle(const RunConfig& config, const Json& cohort);
  // cases.json (worker/run/seen_cases.h), written once: what a run was begun on stays true.
  void store_seen_cases(const Json& cases);
  // shard_plan.json; warns, with an event, when it replaces a local one for another number of
  // ranks.
  void store_shard_plan(const Json& plan);
  // Opens metrics.jsonl without the lines past `step`.
  void open_metrics(std::int64_t step);

  void metrics(const Json& line);
  void sync_metrics();
  void event(const std::string& kind, std::int64_t step, Json detail = Json::object());
  std::filesystem::path checkpoints() const { return directory_ / "checkpoints"; }
  // Throws Error once another process has taken over the run directory.
  void require_lease() const;

 private:
  void publish(const std::string& kind, const Json& line);
  void open_curves(std::int64_t step);

  std::filesystem::path directory_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<JsonLines> metrics_, events_;  // of rank 0
  const bool tensorboard_;
  std::unique_ptr<EventFile> curves_;
  std::mutex publishing_;
  Publish publish_;
};

// Versions and host, for run.json.
Json provenance();

}  // namespace lacuna::worker

// Trains one run, alone or as one of several ranks, from its newest valid checkpoint or from the
// start.
//
// Owns: method, loaders, optimisers, schedules, EMA, metrics.jsonl, checkpoints, the lease on the
// run directory. With several ranks every rank calls it with the same configuration and directory;
// all hold the same weights after every step, and rank 0 writes the run directory. Not thread-safe;
// one trainer per process.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "comm/communicator.h"
#include "data/cohort.h"
#include "methods/method.h"
#include "worker/run_config.h"

namespace lacuna::worker {

struct TrainingResult {
  ExitCode code = ExitCode::kDone;  // kDone, kSavedOnRequest or kDiverged
  std::int64_t step = 0;
  // Mean Dice over subsets and regions on the validation cases; none without a validation.
  std::optional<double> best_score;
  bool writes = true;  // this process is rank 0
};

struct TrainingHooks {
  std::function<bool()> stop_requested;        // polled at step boundaries; SIGUSR2/SIGTERM set it
  bool progress = true;                        // progress line on a terminal, plain lines otherwise
  std::function<bool()> checkpoint_requested;  // polled at step boundaries; true once per request
  // Rank 0 tells what happened: kind "plan" (once: steps, stages, method, names of what will be
  // reported, ...), "metrics" (each line of metrics.jsonl), "event" (each line of events.jsonl).
  // Called by the training thread or the one that writes checkpoints, never by both at once;
  // returns at once.
  std::function<void(const std::string& kind, const Json& what)> publish;
  comm::Communicator* ranks = nullptr;  // null: this process alone
  comm::Seconds peer_deadline{300};     // how long to wait for another rank
  int gpu = 0;                          // CUDA device, where training is not on the CPU
  Pulse* pulse = nullptr;               // null: nobody watches
  Metrics* metrics = nullptr;           // null: nobody counts
  // Seams. Empty or null: the method of the registry, the real file system for checkpoints.
  std::function<std::unique_ptr<methods::Method>(const data::Cohort&)> make_method;
  FileSystem* checkpoint_files = nullptr;
};

// Trains in `run_directory`, which is made if need be. Throws ConfigError when it holds another
// configuration, Error when another process holds the lease, PeerLost when another rank does not
// answer. After any exception in a process that is one of several ranks, end the process with
// comm::MpiSession::abandon: the others may be waiting for it.
TrainingResult train(const RunConfig& config, const std::filesystem::path& run_directory,
                     const TrainingHooks& hooks);

}  // namespace lacuna::worker

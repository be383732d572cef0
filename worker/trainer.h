// Trains one run, alone or as one of several ranks, from its newest valid checkpoint or from the
// start.
//
// Owns: method, loaders, optimisers, schedules, EMA, metrics.jsonl, checkpoints, the lease on the
// run directory. With several ranks every rank calls it with the same configuration and directory;
// all hold the same weights after every step, and rank 0 writes the run directory. Not thread-safe;
// one trainer per process.
#pragma once

#include <filesystem>

#include "worker/run/run_config.h"
#include "worker/run/training_hooks.h"

namespace lacuna::worker {

// Trains in `run_directory`, which is made if need be. Throws ConfigError when it holds another
// configuration, Error when another process holds the lease, PeerLost when another rank does not
// answer. After any exception in a process that is one of several ranks, end the process with
// comm::MpiSession::abandon: the others may be waiting for it.
TrainingResult train(const RunConfig& config, const std::filesystem::path& run_directory,
                     const TrainingHooks& hooks);

}  // namespace lacuna::worker

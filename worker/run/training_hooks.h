// What a program gives to a training and gets from it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <c10/core/Device.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/metrics/metrics.h"
#include "base/process/pulse.h"
#include "base/text/json.h"
#include "comm/communicator.h"
#include "data/cache/cohort.h"
#include "methods/method.h"

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
  // Whether a watch hears all ranks now and ends the run when nobody gets on: waits for what one
  // rank does alone may then last. Empty: nobody watches.
  std::function<bool()> overseen;
  int gpu = 0;                 // CUDA device, where training is not on the CPU
  Pulse* pulse = nullptr;      // null: nobody watches
  Metrics* metrics = nullptr;  // null: nobody counts
  // The learning rate of every group that is trained on training cases, at a step (the first is 0),
  // in place of its schedule; empty: the schedule. Every rank must say the same.
  std::function<double(std::int64_t step)> learning_rate;
  // Seams. Empty or null: the device that the configuration asks for, the method of the registry,
  // the real file system for checkpoints.
  std::optional<at::Device> device;
  std::function<std::unique_ptr<methods::Method>(const data::Cohort&)> make_method;
  FileSystem* checkpoint_files = nullptr;
};

}  // namespace lacuna::worker

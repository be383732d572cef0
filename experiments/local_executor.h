// Runs of a sweep on this machine, several at a time, without a batch system.
//
// Restartable: it may be stopped or killed at any moment, and the same call goes on. Its trainings
// do not outlive it: they save and end.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/process/signals.h"
#include "experiments/run_task.h"

namespace lacuna::experiments {

struct LocalOptions {
  int at_once = 1;
  TaskSettings task;
  // One environment per slot, added to that of the task: which GPU is whose. Empty: none.
  std::vector<std::map<std::string, std::string>> slots;
};

struct LocalOutcome {
  std::size_t done = 0;     // of the given runs, those that were done before included
  std::size_t stopped = 0;  // can go on
  std::size_t failed = 0;
  std::size_t blocked = 0;  // never started: a run that they wait for did not end well
};

// Told of each start ("start") and end ("done", "stopped", "failed"), by one thread at a time.
using LocalProgress =
    std::function<void(const PlannedRun& run, const std::string& what, const LocalOutcome& so_far)>;

// In the order given; a group starts when those before it are done. `runs` point into the plan;
// `lock` is that of the directory: when it is lost, the trainings are stopped.
LocalOutcome run_locally(const SweepDirectory& directory, const SweepPlan& plan,
                         const std::vector<const PlannedRun*>& runs, const ResolveRun& resolve,
                         const LocalOptions& options, const Lease& lock,
                         const SignalSource& signals, const LocalProgress& progress);

}  // namespace lacuna::experiments

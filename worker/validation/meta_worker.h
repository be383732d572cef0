// Runs phases on the meta set, on the weights that the state holds at the time: the work of one
// rank, whichever it is.
//
// A run of a phase is a pure function of those weights, the optimiser state of its groups and the
// step: its batches and torch's generator are set from (seed, step, phase). It changes parameters
// and optimisers of those groups and nothing else (no buffer). Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "data/sampling/loader.h"
#include "worker/run/rank_group.h"
#include "worker/run/run_plan.h"
#include "worker/setup/device_setup.h"
#include "worker/step/phase_step.h"

namespace lacuna::worker {

class MetaWorker {
 public:
  // All must outlive the object.
  MetaWorker(const RunConfig& config, const data::Cohort& cohort, const RunPlan& plan,
             methods::Method& method, TrainingState& state, const Placement& placement,
             RankGroup& ranks);

  // All repeats of the phase that was due at at.step. Throws ConfigError when the split has no meta
  // cases.
  PhaseOutcome run(const methods::Phase& phase, methods::Progress at);

  std::int64_t skipped_cases() const;

 private:
  struct Feed {
    std::unique_ptr<data::Loader> loader;
    std::int64_t next = 0;  // number of the batch that the loader gives next
  };
  std::vector<int> meta_cases() const;
  Feed& feed_at(const methods::Phase& phase, int stage, std::int64_t batch);

  const RunConfig& config_;
  const data::Cohort& cohort_;
  const RunPlan& plan_;
  methods::Method& method_;
  TrainingState& state_;
  Placement placement_;
  RankGroup& ranks_;
  std::map<std::string, Feed> feeds_;  // by phase, of one stage
  int stage_ = -1;
};

}  // namespace lacuna::worker

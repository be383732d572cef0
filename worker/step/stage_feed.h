// The training batches of one stage on the training device: this rank's samples of each step.
// Starts at any step. Tensors live until end_step().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/run/run_plan.h"
#include "worker/setup/device_batch.h"
#include "worker/setup/run_data.h"

namespace lacuna::worker {

class StageFeed {
 public:
  // The data must outlive the feed. Throws ConfigError when the patch does not fit.
  StageFeed(const RunData& data, const data::DataRecipe& recipe, const RunConfig& config,
            const RunPlan& plan, std::int64_t first_step, const Placement& placement,
            const RankGroup& ranks, const data::LoaderFigures& figures = {});

  // Batch of a repeat of a phase that trains on training cases; the same for all such phases.
  const methods::Batch& training(std::int64_t repeat);
  void end_step();

  double wait_seconds() const;  // total time spent waiting for batches
  std::int64_t skipped_cases() const;

 private:
  Placement placement_;
  std::unique_ptr<data::Loader> loader_;
  std::vector<std::unique_ptr<DeviceBatch>> batches_;
  std::int64_t batches_per_step_ = 1;
};

}  // namespace lacuna::worker

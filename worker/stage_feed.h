// The batches of one stage on the training device: the training batches of each step, and the
// batches of phases on the meta set. Starts at any step.
//
// Tensors of a step share memory with the loader's buffers and live until end_step().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/cohort.h"
#include "data/loader.h"
#include "methods/method.h"
#include "worker/run_config.h"
#include "worker/run_plan.h"

namespace lacuna::worker {

class StageFeed {
 public:
  // The cohort must outlive the feed. Throws ConfigError when a split, part or patch does not fit.
  StageFeed(const data::Cohort& cohort, const data::DataRecipe& recipe, const RunConfig& config,
            const RunPlan& plan, std::int64_t first_step, at::Device device,
            at::MemoryFormat layout);

  // Batch of a repeat of a phase that trains on training cases; the same for all such phases.
  const methods::Batch& training(std::int64_t repeat);
  // The next batch of a phase on the meta set.
  const methods::Batch& meta(const methods::Phase& phase);
  void end_step();

  double wait_seconds() const;  // total time spent waiting for batches
  std::int64_t skipped_cases() const;

 private:
  struct Held {
    data::Loader* loader;
    std::unique_ptr<data::HostBatch> host;
    methods::Batch batch;
  };
  Held fetch(data::Loader& loader);

  at::Device device_;
  at::MemoryFormat layout_;
  std::unique_ptr<data::Loader> training_;
  std::map<std::string, std::unique_ptr<data::Loader>> meta_;  // by phase
  std::vector<std::unique_ptr<Held>> training_batches_, meta_batches_;
  std::int64_t batches_per_step_ = 1;
};

// The method's recipe with the run's patch and augmentation.
data::DataRecipe run_recipe(const methods::Method& method, const RunConfig& config);

}  // namespace lacuna::worker

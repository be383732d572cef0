// What of the cohort a rank trains on: its cases by the shard plan, staged if need be.
//
// Collective over all ranks: rank 0 makes the plan, shares it, stores it as shard_plan.json and
// prints it. With data.shard local, training depends on the number of ranks; going on with another
// number is announced.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "data/cache/cohort.h"
#include "data/cache/staging.h"
#include "data/sampling/shard_plan.h"
#include "worker/run/rank_group.h"
#include "worker/run/run_config.h"
#include "worker/run/run_files.h"

namespace lacuna::worker {

class RunData {
 public:
  // Throws ConfigError and DataError. The validation rank has no training cases.
  RunData(const RunConfig& config, const data::Cohort& cohort, RankGroup& ranks, RunFiles& files);

  // Training cases of this rank, as indices into cohort().cases; its own alone?
  const std::vector<int>& cases() const { return cases_; }
  bool own_cases() const { return local_; }
  const data::Cohort& cohort() const { return cohort_; }
  const data::StagedCases* staged() const { return staged_.get(); }  // null: none

 private:
  const data::Cohort& cohort_;
  std::vector<int> cases_;
  bool local_ = false;
  std::unique_ptr<data::StagedCases> staged_;
};

}  // namespace lacuna::worker

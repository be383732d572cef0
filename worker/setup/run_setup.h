// What a run needs before its first step, made from configuration and cohort. Throws ConfigError
// and DataError.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "methods/method.h"
#include "worker/run/rank_group.h"
#include "worker/run/run_config.h"
#include "worker/run/run_files.h"
#include "worker/run/run_plan.h"
#include "worker/run/training_hooks.h"
#include "worker/setup/device_setup.h"

namespace lacuna::worker {

// The run directory of this rank; on return rank 0 has made and leased it.
std::unique_ptr<RunFiles> open_run_files(const RunConfig& config,
                                         const std::filesystem::path& directory, RankGroup& ranks,
                                         const TrainingHooks& hooks);

// The cohort of the run; where its split has fixed missing modalities, cases of its training part
// have only what the split leaves them.
data::Cohort open_training_cohort(const RunConfig& config);

// The method with the weights of a start: the same on every rank.
std::unique_ptr<methods::Method> make_run_method(const RunConfig& config,
                                                 const data::Cohort& cohort,
                                                 const TrainingHooks& hooks);

// What checkpoints and run.json say about the data.
Json describe(const data::Cohort& cohort, const RunConfig& config);

// What computes from here on, for the event of a start: a later one may be another version on
// another machine.
Json describe_start(const RankGroup& ranks, const Placement& placement);

// What TrainingHooks::publish tells as "plan": position and speed to expect, and the names of what
// will be reported.
Json describe_plan(const RunConfig& config, const RunPlan& plan, const RankGroup& ranks,
                   const data::Cohort& cohort, methods::Method& method);

// Empty when nothing is validated.
std::vector<int> validation_cases(const RunConfig& config, const data::Cohort& cohort);

}  // namespace lacuna::worker

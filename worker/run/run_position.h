// Where in a run a step is, as methods are told. Pure function.
#pragma once

#include <algorithm>

#include "worker/run/run_config.h"
#include "worker/run/run_plan.h"

namespace lacuna::worker {

inline methods::Progress run_position(const RunPlan& plan, const RunConfig& config,
                                      const data::Cohort& cohort, std::int64_t step) {
  methods::Progress at;
  at.seed = config.seed;
  at.step = step;
  at.steps = plan.steps();
  at.stage = plan.stage_at(step);
  at.stage_step = step - plan.start_of(at.stage);
  // Of every step: part() would look up each case.
  const std::int64_t cases = std::ssize(cohort.splits.at(config.split).at("train"));
  at.steps_per_epoch = std::max<std::int64_t>(1, (cases + config.batch - 1) / config.batch);
  return at;
}

}  // namespace lacuna::worker

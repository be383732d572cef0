#include "methods/shared/restarted_stages.h"

namespace lacuna::methods {

std::vector<Stage> restarted_stages(const RestartedStages& wanted) {
  using Kind = ScheduleSpec::Kind;
  const OptimizerSpec sgd{
      .kind = OptimizerSpec::Kind::kSgd, .learning_rate = 1e-2, .momentum = 0.99, .nesterov = true};
  const auto stage = [&](const char* name, std::int64_t first, std::int64_t end,
                         std::int64_t horizon, const char* policy) {
    ScheduleSpec schedule{.kind = Kind::kPoly, .power = 0.9, .first = first, .horizon = horizon};
    if (wanted.cosine) {
      schedule.kind = Kind::kCosine;
      schedule.horizon = wanted.steps;
    }
    return Stage{.name = name,
                 .steps = end - first,
                 .subsets = {{"policy", policy}, {"granularity", "batch"}},
                 .phases = {{.name = "train", .trains = {{wanted.group, sgd, schedule}}}}};
  };
  if (wanted.warm_up < 2) return {stage("random", 0, wanted.steps, wanted.steps, "cardinality")};
  const std::int64_t switched = wanted.warm_up - 1;
  return {stage("full", 0, switched, wanted.warm_up, "full"),
          stage("random", switched, wanted.steps, wanted.steps, "cardinality")};
}

}  // namespace lacuna::methods

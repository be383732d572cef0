// A run that starts from the weights of a run of an earlier group: {"init": {"weights": {"from":
// "teachers"}}}. It is the run of that group which has the same values on the axes that both have.
//
// Its identity is known when the sweep is planned and counts in that of the run; where it lies is
// told when the run starts. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/run_expansion.h"
#include "experiments/sweep_plan.h"

namespace lacuna::experiments {

// Puts the identity in the place of the group's name, if there is one. `plan`: the runs so far, its
// last group being the draft's; `axes`: of each of them. Throws ConfigError when the group is not
// in `after`, or when not exactly one of its runs fits.
void name_predecessor(RunDraft& draft, const SweepPlan& plan, const std::vector<Json>& axes,
                      const std::string& where);

// The run of the sweep whose weights a resolved run starts from; nothing: none, or given by path.
std::optional<std::string> predecessor_of(const Json& resolved);

}  // namespace lacuna::experiments

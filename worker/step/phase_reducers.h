// The gradient reducers of a run: one per list of parameters that phases train together, made at
// first use and kept. Making one is collective over the trainers, who come to a phase at the same
// step. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "comm/gradient_reducer.h"
#include "worker/run/rank_group.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {

class PhaseReducers {
 public:
  // bf16: gradients travel rounded to bfloat16. `ranks` and `state` must outlive the object.
  PhaseReducers(RankGroup& ranks, TrainingState& state, bool bf16);

  comm::GradientReducer& of(const methods::Phase& phase);

 private:
  RankGroup& ranks_;
  TrainingState& state_;
  comm::ReducerOptions options_;
  std::map<std::string, std::unique_ptr<comm::GradientReducer>> reducers_;  // by group names
};

}  // namespace lacuna::worker

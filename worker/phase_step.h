// One optimiser step of one phase: forward and backward over the micro-batches of a batch, the
// check that the loss is finite, clipping and the update.
//
// A loss that is a mean over samples gives the same gradients whatever the micro-batch, up to
// summation order: each part counts with its share of the samples.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "methods/method.h"
#include "worker/training_state.h"

namespace lacuna::worker {

struct PhaseOutcome {
  bool finite = true;  // false: loss or gradient was not, and nothing was updated
  double loss = 0;
  std::vector<std::pair<std::string, double>> parts;
  std::map<std::string, double> learning_rates, gradient_norms;  // by group
  double forward_backward_seconds = 0, optimizer_seconds = 0;
};

struct PhaseSettings {
  std::int64_t micro_batch = 0;  // 0: the whole batch at once
  bool bf16 = false;
};

PhaseOutcome run_phase(methods::Method& method, TrainingState& state, const methods::Phase& phase,
                       const methods::Batch& batch, const methods::Progress& progress,
                       const PhaseSettings& settings);

}  // namespace lacuna::worker

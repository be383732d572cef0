// One optimiser step of one phase: forward and backward over the micro-batches of a batch, the
// check that the loss is finite, clipping and the update.
//
// A loss that is a mean over samples gives the same gradients whatever the micro-batch, up to
// summation order: each part counts with its share of the samples. The same holds for the parts of
// a batch that several trainers hold.
#pragma once

#include <cstdint>
#include <functional>

#include "methods/method.h"
#include "worker/state/training_state.h"
#include "worker/step/phase_outcome.h"
#include "worker/step/step_agreement.h"

namespace lacuna::comm {
class GradientReducer;
}

namespace lacuna::worker {

struct PhaseSettings {
  std::int64_t micro_batch = 0;  // 0: the whole batch at once
  bool bf16 = false;
  // Called before each micro-batch and whenever a gradient is there, on the thread of backward: for
  // what must move along meanwhile. Null: nothing.
  const std::function<void()>* between = nullptr;
  // The rate of every group at a step in place of its schedule. Null, or empty: the schedule.
  const std::function<double(std::int64_t step)>* learning_rate = nullptr;
};

// What a phase needs whose batch is divided among trainers; this one's part may be empty.
struct SharedPhase {
  RankGroup& ranks;
  StepAgreement& agreement;
  comm::GradientReducer& reducer;  // of the parameters that the phase trains
  std::int64_t batch = 1;          // samples over all trainers
};

// shared null: `batch` is the whole batch. Throws PeerLost.
PhaseOutcome run_phase(methods::Method& method, TrainingState& state, const methods::Phase& phase,
                       const methods::Batch& batch, const methods::Progress& progress,
                       const PhaseSettings& settings, const SharedPhase* shared = nullptr);

}  // namespace lacuna::worker

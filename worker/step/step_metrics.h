// Collects what the phases of a step report into one line of metrics.jsonl.
//
// Losses, rates and norms are those of the line's own step, so that a resumed run writes the lines
// of an uninterrupted one; speeds and times are means over the steps since the last line.
// docs/file-formats.md lists the fields.
#pragma once

#include <cstdint>
#include <string>

#include "base/text/json.h"
#include "methods/method.h"
#include "worker/step/phase_outcome.h"

namespace lacuna::worker {

class StepMetrics {
 public:
  void begin_step();
  // first: of the step, whose loss is the line's `loss`.
  void add(const methods::Phase& phase, const PhaseOutcome& outcome, bool first);
  void end_step(std::int64_t samples, double step_seconds, double data_wait_seconds);

  bool finite() const { return finite_; }
  double loss() const { return loss_; }
  double learning_rate() const { return learning_rate_; }
  double samples_per_second() const;
  // The line of this step; opens a new window for speeds.
  Json take_line(std::int64_t step, const methods::Stage& stage, methods::Method& method);

 private:
  bool finite_ = true;
  double loss_ = 0, learning_rate_ = 0;
  Json losses_, rates_, norms_;
  std::int64_t window_steps_ = 0, window_samples_ = 0;
  double step_seconds_ = 0, data_wait_ = 0, forward_backward_ = 0, reduce_ = 0, optimizer_ = 0,
         meta_ = 0;
};

}  // namespace lacuna::worker

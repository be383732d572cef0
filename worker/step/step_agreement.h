// What the trainers agree on in every step: the global loss, whether it is finite, whether to stop
// and whether to save.
//
// All of it travels in one small sum per phase, which is started before the last backward pass, so
// that its latency disappears behind the sum of gradients. A request to stop that comes after the
// sum of a step was started counts in the next one. One process asks its hooks directly. Not
// thread-safe.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "worker/run/rank_group.h"
#include "worker/step/phase_outcome.h"

namespace lacuna::worker {

class StepAgreement {
 public:
  // Each may be empty. `ranks` must outlive the object.
  StepAgreement(RankGroup& ranks, std::function<bool()> stop, std::function<bool()> save);

  void begin_step();
  // Starts the sum of a phase: `mine` holds this rank's share of the loss and its parts, named on
  // rank 0 at least. Throws Error when the phase has more than kParts parts.
  void start(const PhaseOutcome& mine);
  // Waits; replaces loss, parts and `finite` by those of the whole batch.
  void finish(PhaseOutcome& outcome);

  // At the boundary of a step, the same answers on every trainer.
  bool stop();
  bool save();

 private:
  static constexpr std::size_t kParts = 60;
  enum Slot : std::size_t { kNotFinite, kStop, kSave, kLoss, kFirstPart };

  void start_sum();
  void finish_sum();
  void agree_on_flags();  // when no phase of the step has

  RankGroup& ranks_;
  std::function<bool()> stop_hook_, save_hook_;
  std::array<float, kFirstPart + kParts> values_{};
  std::unique_ptr<comm::Operation> sum_;
  bool agreed_ = false, stop_ = false, save_ = false;
};

}  // namespace lacuna::worker

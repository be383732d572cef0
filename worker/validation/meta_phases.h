// Phases on the meta set as the trainers see them: computed on one rank, taking effect on all of
// them at a step that depends on the configuration only.
//
// sync: the result takes effect at the phase's place in its step. async: it is computed on the
// weights of step i and takes effect at the start of step i + meta.lag, or after the phases of the
// last step of its stage if that comes first. Who computes it, and how long it takes, changes
// nothing: the dedicated validation rank if there is one, else rank 0. Collective over the
// trainers; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/files/file_system.h"
#include "worker/validation/meta_worker.h"
#include "worker/validation/validation_link.h"

namespace lacuna::worker {

class MetaPhases {
 public:
  using Applied = std::vector<std::pair<const methods::Phase*, PhaseOutcome>>;

  // link: to the validation rank, or null. All must outlive the object. Throws ConfigError when the
  // configuration's lag does not fit a phase.
  MetaPhases(const RunConfig& config, const data::Cohort& cohort, const RunPlan& plan,
             RankGroup& ranks, MetaWorker& worker, TrainingState& state, ValidationLink* link);

  // A phase that is due at at.step, at its place; the outcome when it has taken effect.
  std::optional<PhaseOutcome> run(const methods::Phase& phase, const methods::Progress& at);
  // What takes effect at the start of a step, and after the phases of a step.
  Applied before_step(std::int64_t step);
  Applied after_phases(std::int64_t step);

  // What a checkpoint holds of results that have not taken effect: the weights that they are
  // computed from, and a description.
  NamedTensors pending_tensors() const;
  Json pending() const;
  std::int64_t pending_count() const { return std::ssize(pending_); }
  // Goes on from a checkpoint, whatever number of ranks wrote it. `file` holds pending_tensors();
  // the state must be as the checkpoint left it.
  void restore(const Json& pending, const Path& file);
  // Waits for what was asked of the validation rank, without effect: before the run ends.
  void drain();

 private:
  struct Pending {
    const methods::Phase* phase;
    std::int64_t step = 0;  // whose weights it is computed from
    std::int64_t due = 0;
    bool after_phases = false;  // of step `due`; else at its start
    TensorPack weights;         // of rank 0
    TensorPack result;
    std::shared_ptr<Answer> answer;  // with a validation rank; else `outcome` is there
    PhaseOutcome outcome;
  };
  Pending prepare(const methods::Phase& phase, std::int64_t step) const;
  void start(Pending& pending);
  void compute_here(Pending& pending);
  PhaseOutcome apply(Pending& pending);
  template <typename IsDue>
  Applied apply_if(const IsDue& is_due);
  void check(const methods::Stage& stage, const methods::Phase& phase) const;

  const RunConfig& config_;
  const data::Cohort& cohort_;
  const RunPlan& plan_;
  RankGroup& ranks_;
  MetaWorker& worker_;
  TrainingState& state_;
  ValidationLink* link_;
  std::vector<Pending> pending_;  // in the order of their start
};

}  // namespace lacuna::worker

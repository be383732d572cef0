// What a rank's trainer counts in each step, besides what it logs: steps, samples, times of the
// parts of a step, subsets drawn. docs/monitoring.md has the names.
//
// A step costs some twenty atomic additions. With metrics null nothing is counted. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "base/metrics/metrics.h"
#include "data/sampling/loader.h"
#include "data/types/modality.h"
#include "worker/step/phase_outcome.h"

namespace lacuna::worker {

class StepFigures {
 public:
  // metrics: null, or outlives the object.
  StepFigures(Metrics* metrics, const data::ModalitySet& modalities, bool trains);

  // The parts of this process's batch: one list of subsets per draw.
  void drew(const std::vector<std::vector<data::SubsetMask>>& subsets);
  void ran(const PhaseOutcome& outcome, bool on_meta_set);
  void end_step(std::int64_t samples, double seconds, double data_wait_seconds);
  // What trainers lose to the dedicated validation rank: handing it jobs, waiting for answers.
  void lost_to_validation_rank(double seconds) const { validation_rank_.observe(seconds); }
  // Validation cases that were left out; the loader counts those of training.
  void could_not_read(std::int64_t cases) const { loader_.errors.add(static_cast<double>(cases)); }
  // Asked for and not in effect: validations and phases on the meta set.
  void backlog(std::int64_t jobs) const { backlog_.set(static_cast<double>(jobs)); }

  // For the loader of each stage.
  const data::LoaderFigures& loader() const { return loader_; }

 private:
  Counter steps_, samples_;
  Histogram step_time_, data_wait_, forward_backward_, reduce_, optimizer_, meta_, validation_rank_;
  Gauge backlog_;
  std::map<data::SubsetMask, Counter> draws_;
  data::LoaderFigures loader_;
};

// Counts its own life as lost to the validation rank; null: not at all.
class LostTime {
 public:
  explicit LostTime(const StepFigures* figures) : figures_(figures) {}
  ~LostTime() {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start_;
    if (figures_) figures_->lost_to_validation_rank(took.count());
  }
  LostTime(const LostTime&) = delete;
  LostTime& operator=(const LostTime&) = delete;

 private:
  const StepFigures* figures_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace lacuna::worker

#include "worker/step/step_figures.h"

#include "base/metrics/metric_names.h"
#include "base/process/host.h"

namespace lacuna::worker {
namespace {

// Cohorts with more modalities have too many subsets for a series each.
constexpr int kMostModalities = 5;

}  // namespace

StepFigures::StepFigures(Metrics* metrics, const data::ModalitySet& modalities, bool trains) {
  gauge(metrics, metric::kRankInfo, {host_name(), trains ? "trainer" : "validation"}, 1);
  if (!trains) return;
  steps_ = counter(metrics, metric::kTrainSteps);
  samples_ = counter(metrics, metric::kTrainSamples);
  step_time_ = histogram(metrics, metric::kStepTime);
  const auto phase = [&](const char* name) {
    return histogram(metrics, metric::kPhaseTime, {name});
  };
  data_wait_ = phase("data_wait");
  forward_backward_ = phase("forward_backward");
  reduce_ = phase("reduce");
  optimizer_ = phase("optimizer");
  meta_ = phase("meta");
  validation_rank_ = histogram(metrics, metric::kCollectiveTime, {"validation_rank"});
  backlog_ = gauge(metrics, metric::kEvalBacklog, {}, 0);
  loader_.ready = gauge(metrics, metric::kQueueDepth, {}, 0);
  loader_.errors = counter(metrics, metric::kLoaderErrors);
  loader_.bytes = counter(metrics, metric::kCacheRead);
  if (modalities.size() > kMostModalities) return;
  for (const data::SubsetMask subset : modalities.subsets()) {
    draws_[subset] = counter(metrics, metric::kSubsetDraws, {modalities.format(subset)});
  }
}

void StepFigures::drew(const std::vector<std::vector<data::SubsetMask>>& subsets) {
  for (const auto& draw : subsets) {
    for (const data::SubsetMask subset : draw) {
      if (const auto found = draws_.find(subset); found != draws_.end()) found->second.add();
    }
  }
}

void StepFigures::ran(const PhaseOutcome& outcome, bool on_meta_set) {
  if (on_meta_set) {
    meta_.observe(outcome.forward_backward_seconds + outcome.optimizer_seconds);
    return;
  }
  forward_backward_.observe(outcome.forward_backward_seconds - outcome.reduce_seconds);
  reduce_.observe(outcome.reduce_seconds);
  optimizer_.observe(outcome.optimizer_seconds);
}

void StepFigures::end_step(std::int64_t samples, double seconds, double data_wait_seconds) {
  steps_.add();
  samples_.add(static_cast<double>(samples));
  step_time_.observe(seconds);
  data_wait_.observe(data_wait_seconds);
}

}  // namespace lacuna::worker

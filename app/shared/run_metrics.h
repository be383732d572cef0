// The figures of a training in this process, from the counting to /metrics (docs/monitoring.md).
//
// Every rank counts and tells its figures with its heartbeats; rank 0 also serves /metrics for the
// whole run, from the first publish() on: then it holds the run directory. Without
// monitor.metrics it does nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/metrics/gpu_figures.h"
#include "base/metrics/metrics.h"
#include "base/metrics/process_figures.h"
#include "base/process/pulse.h"
#include "coordinator/status/run_figures.h"
#include "coordinator/watch/coordinator.h"
#include "monitoring/metrics/metrics_endpoint.h"
#include "worker/run/run_config.h"

namespace lacuna::app {

class RunMetrics {
 public:
  // gpu: CUDA device of this process where training is not on the CPU. The pulse outlives the
  // object.
  RunMetrics(const worker::RunConfig& config, const std::filesystem::path& run_directory, int rank,
             int gpu, const Pulse& pulse);

  Metrics* metrics() { return options_.enabled ? &metrics_ : nullptr; }  // for TrainingHooks
  coordinator::Figures figures();                                        // for the RankSession

  // As TrainingHooks::publish, before the session's. coordinator: null on other ranks than 0.
  void publish(const std::string& kind, const Json& what, coordinator::Coordinator* coordinator);
  // Stops serving. To be called before the coordinator is gone.
  void close();
  // Prometheus is told that the run is gone; for a process that is left at once.
  void withdraw();

 private:
  MetricSamples sample();
  void open(coordinator::Coordinator& coordinator);
  void find_gpu(int gpu);

  const worker::RunConfig& config_;
  const std::filesystem::path directory_;
  const monitoring::MetricsOptions options_;
  const Pulse& pulse_;
  Metrics metrics_;
  std::optional<ProcessFigures> process_;
  std::unique_ptr<GpuFigures> gpu_;
  std::optional<coordinator::RunFigures> run_;  // on rank 0
  bool opened_ = false;
  std::mutex mutex_;  // of the endpoint
  std::unique_ptr<monitoring::MetricsEndpoint> endpoint_;
};

}  // namespace lacuna::app

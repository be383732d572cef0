#include "app/shared/run_metrics.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include "base/metrics/metric_names.h"
#include "base/process/build_info.h"
#include "base/process/clock.h"
#include "base/text/log.h"
#include "comm/cuda_queue.h"
#include "monitoring/metrics/exposition.h"

namespace lacuna::app {
namespace {

std::string slurm_job() {
  const char* job = std::getenv("SLURM_JOB_ID");
  return job ? job : "";
}

}  // namespace

RunMetrics::RunMetrics(const worker::RunConfig& config, const std::filesystem::path& run_directory,
                       int rank, int gpu, const Pulse& pulse)
    : config_(config),
      directory_(run_directory),
      options_(monitoring::read_metrics_options(config.resolved)),
      pulse_(pulse) {
  if (!options_.enabled) return;
  process_.emplace(metrics_, steady_clock());
  if (config.device != "cpu") find_gpu(std::max(0, gpu));
  if (rank > 0) return;
  const BuildInfo& build = build_info();
  metrics_.gauge(metric::kBuildInfo, {build.version, build.commit, build.compiler}, 1);
  metrics_.gauge(
      metric::kRunInfo,
      {monitoring::sweep_label(directory_), config.method, config.hash, build.commit, slurm_job()},
      1);
  run_.emplace(metrics_, directory_, steady_clock());
}

void RunMetrics::find_gpu(int gpu) {
  std::string why;
  if (comm::visible_gpus(why) > gpu) {
    try {
      gpu_ = GpuFigures::open(metrics_, comm::gpu_uuid(gpu), why);
    } catch (const std::exception& error) {
      why = error.what();
    }
  }
  if (!gpu_) log::debug("metrics: no figures of a GPU: {}", why);
}

coordinator::Figures RunMetrics::figures() {
  if (!options_.enabled) return {};
  return [this] { return sample(); };
}

MetricSamples RunMetrics::sample() {
  process_->sample();
  if (gpu_) gpu_->sample();
  if (run_) run_->sample(pulse_.read().step);
  return metrics_.samples();
}

void RunMetrics::publish(const std::string& kind, const Json& what,
                         coordinator::Coordinator* coordinator) {
  if (!run_ || !coordinator) return;
  run_->publish(kind, what);
  if (!std::exchange(opened_, true)) open(*coordinator);
}

void RunMetrics::open(coordinator::Coordinator& coordinator) {
  std::string address = options_.bind;
  if (address == "auto") address = coordinator.endpoint().address;
  auto endpoint = std::make_unique<monitoring::MetricsEndpoint>(
      options_, address.empty() ? "127.0.0.1" : address, monitoring::run_label(directory_),
      slurm_job(), [&coordinator] { return coordinator.figures(); }, coordinator.endpoint().token);
  coordinator.announce_metrics(endpoint->url());
  if (endpoint->port() != 0) log::debug("metrics at {}", endpoint->url());
  const std::lock_guard lock(mutex_);
  endpoint_ = std::move(endpoint);
}

void RunMetrics::close() {
  std::unique_lock lock(mutex_);
  const auto endpoint = std::move(endpoint_);
  lock.unlock();  // its threads may be answering
}

void RunMetrics::withdraw() {
  const std::lock_guard lock(mutex_);
  if (endpoint_) endpoint_->withdraw();
}

}  // namespace lacuna::app

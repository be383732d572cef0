// GET /metrics of a run, for Prometheus: every rank's figures in one place, and the target file
// that leads Prometheus there.
//
// Threads of its own, at the lowest priority: scrapes take only processor time that training leaves
// over, and a scraper that is slow, stuck or mad keeps nobody but itself waiting.
//
// Beyond loopback a token is asked for, unless the address was given by name
// (monitor.metrics_bind): the run's own, or that of the directory of target files (scrape_token.h),
// which Prometheus can have for all runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/watch/coordinator.h"
#include "monitoring/metrics/metrics_options.h"
#include "monitoring/metrics/target_file.h"
#include "monitoring/metrics/text_server.h"

namespace lacuna::monitoring {

class MetricsEndpoint {
 public:
  using Collect = std::function<std::vector<coordinator::RankSamples>()>;

  // Listens on `address` (bind `auto` replaced). When the port or the address cannot be had, on any
  // port there, then on loopback; when nothing can, or the target file cannot be written, there is
  // one warning and training goes on. `collect` is called on the thread of this object. run_token:
  // as in coordinator.token; empty: none.
  MetricsEndpoint(const MetricsOptions& options, const std::string& address, const std::string& run,
                  const std::string& job_id, Collect collect, const std::string& run_token = "");
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  int port() const { return port_; }  // 0: there is no endpoint
  // "http://127.0.0.1:4711/metrics", or "".
  std::string url() const;
  // Before the process is left without destructors.
  void withdraw();

 private:
  void listen(const MetricsOptions& options, const std::string& address,
              const std::string& run_token);
  void write_target(const MetricsOptions& options, const std::string& run,
                    const std::string& job_id);
  std::string reachable_address() const;
  std::string text();

  const std::string run_;
  const Collect collect_;
  std::string text_;  // of the server's thread, like the next
  std::chrono::steady_clock::time_point made_;
  std::string address_;
  int port_ = 0;
  std::mutex mutex_;  // of the file
  std::unique_ptr<TargetFile> target_;
  std::jthread refresher_;
  std::unique_ptr<TextServer> server_;  // ends before what it uses
};

}  // namespace lacuna::monitoring

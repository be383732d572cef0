#include "monitoring/metrics/metrics_endpoint.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include "base/process/host.h"
#include "base/text/log.h"
#include "monitoring/metrics/exposition.h"

namespace lacuna::monitoring {
namespace {

// Scrapes within this time see the same text: a flood of them costs little more than sending.
constexpr std::chrono::milliseconds kFresh(500);
constexpr std::chrono::seconds kRefresh(60);

std::string listening(const std::string& address, int port) {
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                : fmt::format("[{}]:{}", address, port);
}

bool is_any(const std::string& address) { return address == "0.0.0.0" || address == "::"; }

}  // namespace

MetricsEndpoint::MetricsEndpoint(const MetricsOptions& options, const std::string& address,
                                 const std::string& run, const std::string& job_id, Collect collect)
    : run_(run), collect_(std::move(collect)) {
  listen(options, address);
  if (port_ != 0 && !options.targets.empty()) write_target(options, run, job_id);
}

MetricsEndpoint::~MetricsEndpoint() { withdraw(); }

void MetricsEndpoint::listen(const MetricsOptions& options, const std::string& address) {
  const std::pair<std::string, int> choices[] = {
      {address, options.port}, {address, 0}, {"127.0.0.1", 0}};
  std::string problem;
  for (const auto& [where, port] : choices) {
    try {
      server_ = std::make_unique<TextServer>(where, port, "/metrics",
                                             "text/plain; version=0.0.4; charset=utf-8",
                                             [this] { return text(); });
      address_ = where;
      port_ = server_->port();
      if (!problem.empty()) {
        log::warn("metrics: {}; they are at {} instead", problem, url());
      }
      return;
    } catch (const std::exception& error) {
      if (problem.empty()) problem = error.what();
    }
  }
  log::warn("metrics: {}. Training goes on without /metrics", problem);
}

std::string MetricsEndpoint::text() {
  const auto now = std::chrono::steady_clock::now();
  if (text_.empty() || now - made_ > kFresh) {
    text_ = prometheus::TextSerializer().Serialize(to_families(run_, collect_()));
    made_ = now;
  }
  return text_;
}

void MetricsEndpoint::write_target(const MetricsOptions& options, const std::string& run,
                                   const std::string& job_id) {
  try {
    target_ =
        std::make_unique<TargetFile>(options.targets, Target{run, reachable_address(), job_id});
  } catch (const std::exception& error) {
    log::warn("metrics: {} Training goes on; Prometheus must be told of {} in another way",
              error.what(), url());
    return;
  }
  refresher_ = std::jthread([this](std::stop_token stop) {
    std::condition_variable_any wake;
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake.wait_for(lock, stop, kRefresh, [] { return false; });
      if (target_) target_->refresh();
    }
  });
}

// One that listens on all addresses is known by the name of its host.
std::string MetricsEndpoint::reachable_address() const {
  if (!is_any(address_)) return listening(address_, port_);
  return fmt::format("{}:{}", host_name(), port_);
}

std::string MetricsEndpoint::url() const {
  return port_ == 0 ? "" : fmt::format("http://{}/metrics", reachable_address());
}

void MetricsEndpoint::withdraw() {
  refresher_.request_stop();
  const std::lock_guard lock(mutex_);
  target_.reset();
}

}  // namespace lacuna::monitoring

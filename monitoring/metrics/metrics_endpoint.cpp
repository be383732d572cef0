#include "monitoring/metrics/metrics_endpoint.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/process/host.h"
#include "base/text/log.h"
#include "coordinator/http/access.h"
#include "monitoring/metrics/exposition.h"
#include "monitoring/metrics/scrape_token.h"

namespace lacuna::monitoring {
namespace {

// Scrapes within this time see the same text: a flood of them costs little more than sending.
constexpr std::chrono::milliseconds kFresh(500);
constexpr std::chrono::seconds kRefresh(60);

std::string listening(const std::string& address, int port) {
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                : fmt::format("[{}]:{}", address, port);
}

bool is_loopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.");
}

// Who may ask at an address; empty: everybody.
std::vector<std::string> tokens_for(const MetricsOptions& options, const std::string& address,
                                    const std::string& run_token) {
  if (options.bind != "auto" || is_loopback(address)) return {};
  // Never empty: what nobody knows lets nobody in.
  std::vector<std::string> tokens{run_token.empty() ? coordinator::make_token() : run_token};
  if (options.targets.empty()) return tokens;
  try {
    tokens.push_back(scrape_token(options.targets));
  } catch (const std::exception& error) {
    log::warn("metrics: {} Only the token of the run lets anybody see /metrics", error.what());
  }
  return tokens;
}

bool is_any(const std::string& address) { return address == "0.0.0.0" || address == "::"; }

}  // namespace

MetricsEndpoint::MetricsEndpoint(const MetricsOptions& options, const std::string& address,
                                 const std::string& run, const std::string& job_id, Collect collect,
                                 const std::string& run_token)
    : run_(run), collect_(std::move(collect)) {
  listen(options, address, run_token);
  if (port_ != 0 && !options.targets.empty()) write_target(options, run, job_id);
}

MetricsEndpoint::~MetricsEndpoint() { withdraw(); }

void MetricsEndpoint::listen(const MetricsOptions& options, const std::string& address,
                             const std::string& run_token) {
  const std::pair<std::string, int> choices[] = {
      {address, options.port}, {address, 0}, {"127.0.0.1", 0}};
  std::string problem;
  for (const auto& [where, port] : choices) {
    try {
      server_ = std::make_unique<TextServer>(
          where, port, "/metrics", kExpositionType, [this] { return text(); },
          tokens_for(options, where, run_token));
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
    text_ = exposition(run_, collect_());
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

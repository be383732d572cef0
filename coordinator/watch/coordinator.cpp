#include "coordinator/watch/coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/metrics/metric_names.h"
#include "base/metrics/metrics_json.h"
#include "base/process/deadlines.h"
#include "base/process/thread_name.h"
#include "base/text/log.h"
#include "coordinator/http/access.h"
#include "coordinator/http/bind_address.h"
#include "coordinator/status/process_state.h"
#include "coordinator/status/status_warnings.h"

namespace lacuna::coordinator {
namespace {

// For the server to put an answer on the wire that it has just been given.
constexpr std::chrono::milliseconds kAnswerTime(200);
constexpr double kDiskSeconds = 3;     // for what is written down about a loss
constexpr double kFinishSeconds = 60;  // at least, where a rank that does not end is not judged
constexpr std::size_t kGuests = 64;    // connections besides those of the ranks

std::chrono::duration<double> seconds(double value) { return std::chrono::duration<double>(value); }

}  // namespace

Coordinator::Coordinator(const SessionOptions& options, const std::filesystem::path& run_directory,
                         int ranks, const std::string& address, const Pulse& pulse, Report report,
                         Leave leave, Figures figures)
    : interval_(options.limits.interval),
      finish_limit_(WatchLimits::kSlowFactor * std::max(options.limits.stall, kFinishSeconds) +
                    2 * options.limits.silent),
      directory_(run_directory),
      pulse_(pulse),
      report_(std::move(report)),
      leave_(std::move(leave)),
      own_figures_(std::move(figures)),
      self_(own_heartbeat(0)),
      endpoint_{"", 0, self_.host, self_.pid, run_directory.filename().string(), make_token(), ""},
      status_(run_directory, steady_clock()),
      watch_(ranks, options.limits, self_.host, steady_clock(), process_state),
      heard_at_(static_cast<std::size_t>(ranks)),
      to_tell_(static_cast<std::size_t>(ranks), false),
      missed_(static_cast<std::size_t>(ranks), false),
      figures_(static_cast<std::size_t>(ranks)),
      server_(open_server(options, address, ranks)),
      thread_([this](std::stop_token stop) { watch_until_stopped(std::move(stop)); }) {}

Coordinator::~Coordinator() {
  thread_.request_stop();
  thread_.join();
  server_.reset();
  if (announced_) remove_endpoint(directory_, endpoint_);
}

std::unique_ptr<Server> Coordinator::open_server(const SessionOptions& options,
                                                 const std::string& address, int ranks) {
  HttpLimits limits;
  limits.connections = kGuests + static_cast<std::size_t>(ranks);
  const std::pair<std::string, int> choices[] = {
      {address, options.port}, {address, 0}, {kLoopback, 0}};
  std::string problem;
  for (const auto& [where, port] : choices) {
    try {
      auto server = std::make_unique<Server>(*this, where, port, endpoint_.token, limits);
      endpoint_.address = where;
      endpoint_.port = server->port();
      if (!problem.empty()) {
        log::warn("status server: {}; it listens on {} port {} instead", problem, where,
                  endpoint_.port);
      }
      return server;
    } catch (const Error& error) {
      if (problem.empty()) problem = error.what();
    }
  }
  log::warn(
      "status server: {}. Training goes on without it: no lacuna monitor, and a lost rank is "
      "noticed by the communication's own deadlines only",
      problem);
  return nullptr;
}

void Coordinator::publish(const std::string& kind, const Json& what) {
  const bool first = !announced_.exchange(true);
  // What comes first is in the files already, unless it is the plan.
  if (!first || kind == "plan") status_.publish(kind, what);
  if (!first) return;
  try {
    status_.read_files();
    if (server_) write_endpoint(directory_, endpoint_);
  } catch (const std::exception& error) {
    log::warn("status server: {}", error.what());
  }
}

void Coordinator::watch_until_stopped(std::stop_token stop) {
  name_thread("rank watch");
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!finished_) {
      self_.pulse = pulse_.read();
      hear(self_);
      status_.position(self_.pulse.step);
    }
    if (const auto verdict = watch_.check()) {
      lock.unlock();
      return lose(*verdict);
    }
    warn_of_unheard();
    changed_.wait_for(lock, stop, seconds(interval_), [] { return false; });
  }
}

void Coordinator::warn_of_unheard() {
  for (const int rank : watch_.unheard()) {
    if (missed_[static_cast<std::size_t>(rank)]) continue;
    missed_[static_cast<std::size_t>(rank)] = true;
    log::warn(
        "rank {}: no heartbeat since the start. If it trains, its host does not reach {} port {}: "
        "look at firewalls, or set monitor.bind to an address that all hosts reach. Training goes "
        "on, and this rank is not watched.",
        rank, endpoint_.address, endpoint_.port);
  }
}

// First the other ranks are told, from memory; only then what may need a disk, each with a limit:
// it may be the very disk that hangs.
void Coordinator::lose(const Verdict& verdict) {
  std::unique_lock lock(mutex_);
  lost_ = verdict;
  // The others learn it from the answer to their next heartbeat; those that are lost never will.
  for (const Json& rank : watch_.report()) {
    const bool hears = rank.at("heard").get<bool>() && rank.at("end") == "" &&
                       rank.at("heartbeat_age").get<double>() < 3 * interval_;
    to_tell_[rank.at("rank").get<std::size_t>()] = hears && rank.at("rank") != 0;
  }
  lock.unlock();
  changed_.notify_all();
  const Json event = {
      {"event", "peer_lost"},       {"time", utc_text(steady_clock().unix_seconds())},
      {"step", pulse_.read().step}, {"rank", verdict.rank},
      {"cause", verdict.cause},     {"reason", verdict.text}};
  (void)run_within(kDiskSeconds, [this, event, text = verdict.text] {
    log::error("{}", text);
    status_.publish("event", event);
  });
  try {
    if (report_) report_(event);
  } catch (const std::exception& error) {
    log::warn("{}", error.what());  // a full disk must not keep the ranks from leaving
  }
  lock.lock();
  changed_.wait_for(lock, seconds(2 * interval_ + 1), [&] {
    return std::none_of(to_tell_.begin(), to_tell_.end(), [](bool each) { return each; });
  });
  lock.unlock();
  if (to_tell_.size() > 1) std::this_thread::sleep_for(kAnswerTime);
  changed_.notify_all();
  // Leaving runs no destructors.
  run_detached(kDiskSeconds, [&] { remove_endpoint(directory_, endpoint_); });
  leave_(verdict.text);
}

void Coordinator::finish(RankEnd end) {
  std::unique_lock lock(mutex_);
  if (std::exchange(finished_, true)) return;
  self_.end = end;
  self_.pulse = pulse_.read();
  hear(self_);
  if (end != RankEnd::kDone || !server_) return;
  const auto over = [&] { return lost_ || watch_.all_ended(/*except=*/0); };
  if (changed_.wait_for(lock, seconds(finish_limit_), over)) return;
  log::warn("not all ranks have said within {:.0f} s that they end: leaving all the same",
            finish_limit_);
}

Json Coordinator::heartbeat(const Json& json) {
  const Heartbeat heard = heartbeat_from_json(json);
  const std::lock_guard lock(mutex_);
  hear(heard);
  if (json.contains("metrics")) keep_figures(heard.rank, json.at("metrics"));
  if (heard.end != RankEnd::kRunning) changed_.notify_all();
  if (!lost_) {
    const Pulse::Reading own = pulse_.read();
    return {{"leave", false}, {"step", own.step}, {"activity", activity_name(own.activity)}};
  }
  to_tell_[static_cast<std::size_t>(heard.rank)] = false;
  changed_.notify_all();
  return {{"leave", true}, {"reason", lost_->text}};
}

void Coordinator::hear(const Heartbeat& heartbeat) {
  watch_.hear(heartbeat);
  heard_at_[static_cast<std::size_t>(heartbeat.rank)] = steady_clock().unix_seconds();
}

// Figures that make no sense must not make a rank leave: they are passed over.
void Coordinator::keep_figures(int rank, const Json& metrics) {
  try {
    auto samples = std::make_shared<const MetricSamples>(metric_samples_from_json(metrics));
    const std::lock_guard lock(figures_mutex_);
    figures_[static_cast<std::size_t>(rank)] = std::move(samples);
  } catch (const DataError& error) {
    if (!std::exchange(warned_of_figures_, true)) {
      log::warn("metrics of rank {} are not shown: {}", rank, error.what());
    }
  }
}

std::vector<RankSamples> Coordinator::figures() {
  const double now = steady_clock().unix_seconds();
  std::unique_lock lock(mutex_);
  const Json report = watch_.report();
  const std::vector<double> heard_at = heard_at_;
  lock.unlock();
  std::vector<RankSamples> all;
  for (const Json& rank : report) {
    if (!rank.at("heard").get<bool>()) continue;
    RankSamples& known = all.emplace_back();
    known.rank = rank.at("rank");
    if (known.rank == 0) {
      if (own_figures_) known.samples = own_figures_();
    } else {
      const std::lock_guard figures_lock(figures_mutex_);
      if (const auto& heard = figures_[static_cast<std::size_t>(known.rank)]) {
        known.samples = *heard;
      }
    }
    const auto add = [&](const Metric& metric, double value) {
      known.samples.push_back({&metric, {}, value, {}});
    };
    // Not an age from now: a rank that is silent must have a time that stands still.
    add(metric::kHeartbeat, heard_at[static_cast<std::size_t>(known.rank)]);
    add(metric::kProgress, now - rank.at("seconds_in_activity").get<double>());
    add(metric::kActivity, static_cast<double>(activity_named(rank.at("activity"))));
  }
  return all;
}

Json Coordinator::status() {
  Json status = status_.status();
  const std::lock_guard lock(mutex_);
  status["time"] = steady_clock().unix_seconds();
  status["ranks"] = watch_.report();
  status["requests"] = {{"checkpoint", checkpoint_requested_.load()},
                        {"stop", stop_requested_.load()}};
  status["lost"] = nullptr;
  if (lost_) {
    status["lost"] = {{"rank", lost_->rank}, {"cause", lost_->cause}, {"reason", lost_->text}};
  }
  status["warnings"] = status_warnings(status);
  return status;
}

void Coordinator::request_checkpoint() {
  log::info("a checkpoint is requested through the status server");
  checkpoint_requested_ = true;
}

void Coordinator::request_stop() {
  log::info("a stop is requested through the status server");
  stop_requested_ = true;
}

}  // namespace lacuna::coordinator

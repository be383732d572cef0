#include "coordinator/watch/heartbeat_sender.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/metrics/metrics_json.h"
#include "base/process/clock.h"
#include "base/process/thread_name.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"
#include "base/text/progress.h"
#include "coordinator/status/process_state.h"

namespace lacuna::coordinator {
namespace {

// A request that hangs is given up and tried anew on a fresh connection a few times per limit.
constexpr double kAttemptsPerLimit = 4;
// Half of what the server takes as a body: figures must never cost a heartbeat.
constexpr std::size_t kMostBytes = 32 * 1024;

}  // namespace

HeartbeatSender::HeartbeatSender(const Endpoint& coordinator, Heartbeat self, const Pulse& pulse,
                                 double interval_seconds, double limit_seconds, Leave leave,
                                 Figures figures)
    : coordinator_(coordinator),
      self_(std::move(self)),
      pulse_(pulse),
      interval_(interval_seconds),
      limit_(limit_seconds),
      leave_(std::move(leave)),
      figures_(std::move(figures)),
      client_(coordinator.address, coordinator.port, coordinator.token),
      thread_([this](std::stop_token stop) { send_until_stopped(std::move(stop)); }) {}

HeartbeatSender::~HeartbeatSender() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  client_.cancel();
  thread_.join();
}

void HeartbeatSender::send_until_stopped(std::stop_token stop) {
  name_thread("heartbeat");
  const double deadline = std::max(limit_ / kAttemptsPerLimit, 0.01);
  while (!stop.stop_requested()) {
    const double start = steady_clock().seconds();
    const bool answered = note_answer(send(deadline));
    if (told_to_leave_ || stop.stop_requested()) return;
    const double asked = steady_clock().seconds() - start;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, std::chrono::duration<double>(std::max(interval_ - asked, 0.0)),
                   [] { return false; });
    if (answered || stop.stop_requested()) continue;
    // No round takes longer than this unless the process was stopped meanwhile.
    unanswered_ += std::min(steady_clock().seconds() - start, interval_ + deadline);
    if (unanswered_ <= limit_) continue;
    if (answered_) return leave_(name_coordinator());
    if (!std::exchange(warned_, true)) warn_of_silence();
  }
}

HttpReply HeartbeatSender::send(double deadline) {
  self_.pulse = pulse_.read();
  return client_.request("POST", "/api/heartbeat", text(), deadline);
}

std::string HeartbeatSender::text() const {
  Json json = to_json(self_);
  const std::string alone = dump_line(json);
  if (!figures_) return alone;
  json["metrics"] = lacuna::to_json(figures_());
  std::string all = dump_line(json);
  return all.size() <= kMostBytes ? all : alone;
}

bool HeartbeatSender::note_answer(const HttpReply& reply) {
  const Json answer = parse_json_line(reply.body);
  if (reply.status != 200 || !answer.is_object()) {
    last_failure_ = reply.status == 0 ? reply.body : fmt::format("HTTP status {}", reply.status);
    return false;
  }
  unanswered_ = 0;
  answered_ = true;
  if (field_or(answer, "leave", false)) {
    told_to_leave_ = true;
    leave_(field_or<std::string>(answer, "reason", "the coordinator says so"));
  } else {
    last_answer_ = fmt::format("step {}, {}", field_or(answer, "step", 0),
                               field_or<std::string>(answer, "activity", ""));
  }
  return true;
}

void HeartbeatSender::warn_of_silence() const {
  log::warn(
      "the status server of rank 0 ({}, {} port {}) has never answered this rank: {}. Training "
      "goes "
      "on without its watch: a lost rank is noticed by the communication's own deadlines only. "
      "Look "
      "at firewalls between the hosts, or set monitor.bind to an address that all of them reach.",
      coordinator_.host, coordinator_.address, coordinator_.port, last_failure_);
}

std::string HeartbeatSender::name_coordinator() const {
  std::string state;
  if (coordinator_.host == self_.host) {
    const char letter = process_state(coordinator_.pid);
    state = letter == 0                      ? "; its process is gone"
            : letter == 'T' || letter == 't' ? "; its process is stopped (state T)"
                                             : fmt::format("; its process is in state {}", letter);
  }
  return fmt::format(
      "rank 0 (host {}, pid {}){}: no answer to a heartbeat for {} ({}){}. Look at its log and its "
      "host.",
      coordinator_.host, coordinator_.pid,
      last_answer_.empty() ? "" : ", last known at " + last_answer_, format_duration(unanswered_),
      last_failure_, state);
}

void HeartbeatSender::goodbye(RankEnd end) {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  self_.end = end;
  (void)send(std::max(interval_, 0.1));
}

}  // namespace lacuna::coordinator

// Tells the coordinator once per interval what this rank does, from a thread of its own: the
// trainer is never waited for and never waits.
//
// It ends the process, through `leave`, in two cases: the coordinator answers that a rank was lost,
// or it does not answer any more for the limit: then rank 0 itself is lost, whether killed, stopped
// (SIGSTOP) or cut off. Time during which this process was stopped itself does not count. A
// coordinator that has never answered proves nothing (a firewall between two nodes, the wrong
// interface): after the limit one warning, and training goes on without the watch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "coordinator/http/endpoint.h"
#include "coordinator/http/http_client.h"
#include "coordinator/status/heartbeat.h"

namespace lacuna::coordinator {

// Ends the process for the reason given; called once, on a thread of this library. One that returns
// (in tests) leaves the sender silent.
using Leave = std::function<void(const std::string& reason)>;

class HeartbeatSender {
 public:
  // `self`: rank, host and pid. The pulse outlives the sender. `figures` go along if they are not
  // too large.
  HeartbeatSender(const Endpoint& coordinator, Heartbeat self, const Pulse& pulse,
                  double interval_seconds, double limit_seconds, Leave leave, Figures figures = {});
  // Says nothing more; a rank that ends should say goodbye() first.
  ~HeartbeatSender();
  HeartbeatSender(const HeartbeatSender&) = delete;
  HeartbeatSender& operator=(const HeartbeatSender&) = delete;

  // The last heartbeat: this rank ends. Stops the thread; waits for the answer for an interval at
  // most.
  void goodbye(RankEnd end);
  // Whether the coordinator has ever answered: it hears this rank and will tell of a lost one, or
  // this rank leaves.
  bool answered() const { return answered_; }

 private:
  void send_until_stopped(std::stop_token stop);
  HttpReply send(double deadline);
  std::string text() const;
  bool note_answer(const HttpReply& reply);  // false: it is none
  std::string name_coordinator() const;
  void warn_of_silence() const;

  const Endpoint coordinator_;
  Heartbeat self_;
  const Pulse& pulse_;
  const double interval_, limit_;
  const Leave leave_;
  const Figures figures_;
  HttpClient client_;
  double unanswered_ = 0;  // seconds
  bool told_to_leave_ = false, warned_ = false;
  std::string last_answer_, last_failure_;  // what rank 0 did then; why there was no answer
  std::atomic<bool> answered_{false};
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace lacuna::coordinator

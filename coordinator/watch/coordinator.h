// What rank 0 does besides training: serves the status of the run, hears the heartbeats of the
// other ranks, and ends the run when one is lost.
//
// Two threads: the server's and the watch's. The trainer only publishes and polls; it never waits
// for either. All members are thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/process/pulse.h"
#include "coordinator/http/endpoint.h"
#include "coordinator/http/server.h"
#include "coordinator/status/run_status.h"
#include "coordinator/watch/heartbeat_sender.h"
#include "coordinator/watch/rank_watch.h"
#include "coordinator/watch/session_options.h"

namespace lacuna::coordinator {

// The figures of one rank.
struct RankSamples {
  int rank = 0;
  MetricSamples samples;
};

class Coordinator final : public ServerApi {
 public:
  // Tells of a lost rank, as a line for events.jsonl, before the process is left. It must not wait
  // for a disk without a limit.
  using Report = std::function<void(const Json& event)>;

  // Listens on `address`; when it or the port cannot be used, on another port, then on loopback,
  // then not at all: training goes on with a warning. The pulse outlives the object. `figures` are
  // this rank's; empty: nobody counts.
  Coordinator(const SessionOptions& options, const std::filesystem::path& run_directory, int ranks,
              const std::string& address, const Pulse& pulse, Report report, Leave leave,
              Figures figures = {});
  ~Coordinator() override;

  const Endpoint& endpoint() const { return endpoint_; }  // port 0: there is no server

  // As TrainingHooks::publish. The first call writes coordinator.json: whoever publishes holds the
  // run directory.
  void publish(const std::string& kind, const Json& what);
  bool take_checkpoint_request() { return checkpoint_requested_.exchange(false); }
  bool stop_requested() const { return stop_requested_; }

  // Where /metrics is served, for coordinator.json; before the first publish().
  void announce_metrics(const std::string& url) { endpoint_.metrics = url; }
  // What is known of every rank that was heard, in rank order: its figures, and when it was heard
  // and got on.
  std::vector<RankSamples> figures();

  // This rank ends. After a success it waits until the others have ended too, or one is lost, for
  // as long as the slowest legitimate activity may take.
  void finish(RankEnd end);

  Json status() override;
  Json history() override { return status_.history(); }
  Json heartbeat(const Json& heartbeat) override;
  void request_checkpoint() override;
  void request_stop() override;

 private:
  std::unique_ptr<Server> open_server(const SessionOptions& options, const std::string& address,
                                      int ranks);
  void watch_until_stopped(std::stop_token stop);
  void warn_of_unheard();  // with the lock held
  void lose(const Verdict& verdict);
  void hear(const Heartbeat& heartbeat);  // with the lock held
  void keep_figures(int rank, const Json& metrics);

  const double interval_, finish_limit_;
  const std::filesystem::path directory_;
  const Pulse& pulse_;
  const Report report_;
  const Leave leave_;
  const Figures own_figures_;
  Heartbeat self_;
  Endpoint endpoint_;
  RunStatus status_;
  std::atomic<bool> checkpoint_requested_{false}, stop_requested_{false}, announced_{false};

  std::mutex mutex_;  // of what follows
  std::condition_variable_any changed_;
  RankWatch watch_;
  std::optional<Verdict> lost_;
  std::vector<double> heard_at_;  // Unix time of the last heartbeat, by rank
  std::vector<bool> to_tell_;     // ranks that have not heard of the loss yet
  std::vector<bool> missed_;      // ranks that were warned of
  bool finished_ = false;

  std::mutex figures_mutex_;  // of what follows; held for moments only
  std::vector<std::shared_ptr<const MetricSamples>> figures_;  // by rank, as heard
  bool warned_of_figures_ = false;

  std::unique_ptr<Server> server_;
  std::jthread thread_;
};

}  // namespace lacuna::coordinator

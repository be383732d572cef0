// One rank's part in the life of a run, in the few calls that a program needs: rank 0 gets a
// Coordinator (server, watch), every other rank a HeartbeatSender.
//
//   RankSession session(read_session_options(config.resolved), directory, rank, ranks, pulse,
//                       exchange, report);
//   hooks.publish = [&](auto& kind, auto& what) { session.publish(kind, what); };
//   ... train ...
//   session.finish(RankEnd::kDone);
//
// Destroyed without finish(), while an exception is under way or not, it tells the others that this
// rank failed.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/watch/coordinator.h"

namespace lacuna::coordinator {

// Gives the text of every rank, in rank order, to every rank. Called twice, by all ranks.
using Exchange = std::function<std::vector<std::string>(const std::string& mine)>;

class RankSession {
 public:
  // With one rank `exchange` may be empty. The pulse outlives the session. `figures`: this rank's,
  // which the coordinator hears with the heartbeats.
  RankSession(const SessionOptions& options, const std::filesystem::path& run_directory, int rank,
              int ranks, const Pulse& pulse, const Exchange& exchange, Coordinator::Report report,
              Leave leave = leave_process, Figures figures = {});
  ~RankSession();
  RankSession(const RankSession&) = delete;
  RankSession& operator=(const RankSession&) = delete;

  // As the TrainingHooks of the same names; on other ranks than 0 they do and say nothing.
  void publish(const std::string& kind, const Json& what);
  bool checkpoint_requested();
  bool stop_requested() const;
  // Whether there is a watch at all (rank 0 could open its server).
  bool watched() const { return sender_ || (coordinator_ && coordinator_->endpoint().port != 0); }
  // Whether the watch hears this rank now: it will end the run when a rank is lost or stuck.
  bool overseen() const;

  // As those of the Coordinator; null on other ranks than 0 and with monitor.enabled=false.
  Coordinator* coordinator() { return coordinator_.get(); }

  void finish(RankEnd end);

  // Logs the reason and ends the process with exit code 76, at once: it may be hanging in anything.
  static void leave_process(const std::string& reason);

 private:
  bool finished_ = false;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<HeartbeatSender> sender_;
};

}  // namespace lacuna::coordinator

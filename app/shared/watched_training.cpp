#include "app/shared/watched_training.h"

#include <string>
#include <vector>

#include "app/shared/run_metrics.h"
#include "base/error.h"
#include "base/files/json_lines.h"
#include "base/process/deadlines.h"
#include "base/process/pulse.h"
#include "comm/counted.h"
#include "comm/gather_texts.h"
#include "comm/mpi.h"
#include "comm/peer_lost.h"
#include "coordinator/supervisor/end_note.h"
#include "coordinator/watch/rank_session.h"

namespace lacuna::app {
namespace {

constexpr double kDiskSeconds = 3;  // for what is written down when the process is left

std::vector<std::string> gather(worker::TrainingHooks& hooks, const std::string& mine) {
  std::vector<std::string> texts;
  comm::require(comm::gather_texts(*hooks.ranks, mine, texts, hooks.peer_deadline),
                "telling the ranks of one another failed");
  return texts;
}

// Before the session ends, whose coordinator the figures come from.
struct Closing {
  RunMetrics& metrics;
  ~Closing() { metrics.close(); }
};

// The trainers' own deadline is the last resort: the watch, which can tell who is to blame, must
// have had its time.
comm::Seconds after_the_watch(const coordinator::WatchLimits& limits) {
  return comm::Seconds(coordinator::WatchLimits::kSlowFactor * limits.stall + 2 * limits.silent);
}

}  // namespace

worker::TrainingResult train_watched(const worker::RunConfig& config,
                                     const std::filesystem::path& run_directory,
                                     worker::TrainingHooks hooks) {
  const coordinator::SessionOptions options = coordinator::read_session_options(config.resolved);
  Pulse pulse;
  const int rank = hooks.ranks ? hooks.ranks->rank() : 0;
  RunMetrics counted(config, run_directory, rank, hooks.gpu, pulse);
  coordinator::RankSession session(
      options, run_directory, rank, hooks.ranks ? hooks.ranks->size() : 1, pulse,
      [&](const std::string& mine) { return gather(hooks, mine); },
      [&](const Json& event) {
        run_detached(kDiskSeconds,
                     [&] { JsonLines(run_directory / "events.jsonl").append(event); });
      },
      [&](const std::string& reason) {
        // Files in processes of their own, words to the terminal alone: the disk may be what hangs.
        const std::string text = "leaving with exit code 76, because of " + reason +
                                 " The same command resumes from the newest checkpoint.";
        run_detached(kDiskSeconds, [&] { counted.withdraw(); });
        coordinator::leave_end_note(run_directory, rank, static_cast<int>(ExitCode::kPeerLost),
                                    reason);
        comm::leave_process_with_words(rank > 0 ? fmt::format("rank {}: {}", rank, text) : text);
      },
      counted.figures());
  const Closing closing{counted};
  // One process has nobody to wait for; a rank that nobody hears has its own deadlines alone.
  if (session.watched() && options.limits.stall > 0) {
    hooks.peer_deadline = std::max(hooks.peer_deadline, after_the_watch(options.limits));
    hooks.overseen = [&] { return session.overseen(); };
  }
  hooks.pulse = &pulse;
  hooks.metrics = counted.metrics();
  std::unique_ptr<comm::Communicator> ranks;  // counted
  if (hooks.ranks && hooks.metrics) {
    ranks = comm::count_waits(*hooks.ranks, *hooks.metrics);
    hooks.ranks = ranks.get();
  }
  hooks.publish = [&](const std::string& kind, const Json& what) {
    counted.publish(kind, what, session.coordinator());
    session.publish(kind, what);
  };
  hooks.checkpoint_requested = [&] { return session.checkpoint_requested(); };
  hooks.stop_requested = [&, asked = hooks.stop_requested] {
    return (asked && asked()) || session.stop_requested();
  };
  const worker::TrainingResult result = worker::train(config, run_directory, hooks);
  session.finish(coordinator::RankEnd::kDone);
  return result;
}

}  // namespace lacuna::app

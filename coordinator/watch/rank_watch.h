// Names the rank that a run waits for in vain: killed, stopped, stuck, or ended with an error.
//
// Two signs of life are told apart. A heartbeat comes from a thread of its own and proves that the
// process runs; a beat of the pulse in it proves that the trainer gets on. A rank without
// heartbeats is `silent`; one whose pulse stands still is `stuck`, unless it waits for the others
// (Activity::kWaiting), whatever for: those are victims and never blamed, and the culprit is the
// one with the fewest steps among the rest. A rank that was never heard may work all the same,
// where a firewall keeps its heartbeats away: it is told of (unheard()), and to blame only when the
// others wait for too long. Time during which the watch itself did not run counts against nobody.
//
// Pure logic on a clock and a probe for the state of a process. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/process/clock.h"
#include "base/text/json.h"
#include "coordinator/status/heartbeat.h"

namespace lacuna::coordinator {

struct WatchLimits {
  double interval = 1;  // seconds between heartbeats
  double silent = 30;   // seconds without a heartbeat
  // Seconds without a beat; 0: never judged. It is at least kStepsPerStall median steps, and
  // kSlowFactor times as long where one beat legitimately takes longer: starting, the first steps,
  // validating, a phase on the meta set, saving.
  double stall = 600;

  static constexpr double kStepsPerStall = 20;
  static constexpr double kSlowFactor = 3;
};

struct Verdict {
  int rank = -1;      // -1: every rank waits for the others
  std::string cause;  // "killed", "stopped", "silent", "stuck", "failed", "deadlock"
  std::string text;   // rank, host, pid, step, activity, for how long, what to do
};

class RankWatch {
 public:
  using Probe = std::function<char(long pid)>;  // as process_state()

  // `host`: of this process; the probe is asked about ranks on it only.
  RankWatch(int ranks, const WatchLimits& limits, std::string host, const Clock& clock,
            Probe probe);

  // Throws DataError for a rank that does not exist.
  void hear(const Heartbeat& heartbeat);
  // To be called about once per interval.
  std::optional<Verdict> check();

  // Ranks without a single heartbeat for the silent limit.
  std::vector<int> unheard() const;
  // Every rank that was heard said that it ends, apart from `except`.
  bool all_ended(int except) const;
  // Median duration of a step, from the heartbeats; 0 while unknown.
  double median_step_seconds() const;
  // One object per rank: rank, host, pid, step, activity, seconds_in_activity, heartbeat_age, end.
  Json report() const;

 private:
  struct Rank {
    Heartbeat last;
    bool heard = false, in_proc = false;
    double heard_at = 0, beat_at = 0, step_at = 0;
    int step_changes = 0;
  };

  void forgive_own_pause(double now);
  void note_progress(Rank& rank, const Heartbeat& heartbeat, double now);
  std::optional<Verdict> find_silent(double now) const;
  std::optional<Verdict> find_unheard(double now) const;
  std::optional<Verdict> find_stuck(double now) const;
  double stall_limit(const Rank& rank) const;
  double unheard_limit() const;
  char state_of(const Rank& rank) const;  // '?' when it cannot be known
  std::string describe(const Rank& rank) const;

  const WatchLimits limits_;
  const std::string host_;
  const Clock& clock_;
  const Probe probe_;
  std::vector<Rank> ranks_;
  std::deque<double> step_seconds_;
  double checked_at_;
};

}  // namespace lacuna::coordinator

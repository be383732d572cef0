#include "coordinator/watch/rank_watch.h"

#include <algorithm>

#include "base/error.h"
#include "base/text/progress.h"

namespace lacuna::coordinator {
namespace {

constexpr std::size_t kStepSamples = 63;
// A rank of this host whose process is gone is lost at once, not only after the silent limit. A few
// intervals, because its last words may still be on the way.
constexpr double kGoneIntervals = 3;

struct Finding {
  const char* cause;
  std::string what, advice;
};

Finding explain_silence(char state, long pid) {
  switch (state) {
    case 0:
      return {"killed", "its process is gone", "Look at its log and at dmesg (out of memory?)."};
    case 'Z':
      return {"killed", "its process ended without a word (state Z)",
              "Look at its log and at dmesg (out of memory?)."};
    case 'T':
    case 't':
      return {"stopped", fmt::format("its process is stopped (state {})", state),
              fmt::format("Whoever stopped it may go on with: kill -CONT {}", pid)};
    case 'D':
      return {"silent", "its process waits for a disk (state D)",
              "Look at the storage that it reads and writes, and at dmesg."};
    case '?':
      return {"silent", "its host or the network to it may be down",
              "Look at that host: is it up, does the process run?"};
    default:
      return {"silent", fmt::format("its process runs (state {})", state),
              "Its heartbeats do not arrive: look at the load and the network of the host."};
  }
}

std::string explain_stall(Activity activity, char state) {
  const std::string disk = state == 'D' ? " (the kernel waits for a disk, state D)" : "";
  switch (activity) {
    case Activity::kStarting:
      return "has not begun its first step" + disk;
    case Activity::kWaitingForData:
      return "stuck in a read" + disk + ". Look at the storage of data.cache: lacuna inspect";
    case Activity::kSaving:
      return "a save does not end" + disk + ". Look at the disk of the run directory";
    default:
      // Between its computations a rank also writes lines and logs.
      if (state == 'D') {
        return "the kernel waits for a disk or a device (state D). Look at the storage of the run "
               "directory, at dmesg, and at nvidia-smi";
      }
      return "the computation does not end. Look at the device: nvidia-smi, dmesg";
  }
}

bool is_slow_by_nature(Activity activity) {
  return activity == Activity::kStarting || activity == Activity::kValidating ||
         activity == Activity::kMeta || activity == Activity::kSaving;
}

}  // namespace

RankWatch::RankWatch(int ranks, const WatchLimits& limits, std::string host, const Clock& clock,
                     Probe probe)
    : limits_(limits),
      host_(std::move(host)),
      clock_(clock),
      probe_(std::move(probe)),
      ranks_(static_cast<std::size_t>(ranks)),
      checked_at_(clock.seconds()) {
  for (int i = 0; i < ranks; ++i) {
    Rank& rank = ranks_[static_cast<std::size_t>(i)];
    rank.last.rank = i;
    rank.heard_at = rank.beat_at = rank.step_at = checked_at_;
  }
}

void RankWatch::hear(const Heartbeat& heartbeat) {
  if (heartbeat.rank < 0 || heartbeat.rank >= static_cast<int>(ranks_.size())) {
    throw_error<DataError>("heartbeat: no rank {} in a run of {}", heartbeat.rank, ranks_.size());
  }
  Rank& rank = ranks_[static_cast<std::size_t>(heartbeat.rank)];
  const double now = clock_.seconds();
  if (!rank.heard) rank.in_proc = heartbeat.host == host_ && probe_(heartbeat.pid) != 0;
  note_progress(rank, heartbeat, now);
  rank.heard = true;
  rank.heard_at = now;
  rank.last = heartbeat;
}

void RankWatch::note_progress(Rank& rank, const Heartbeat& heartbeat, double now) {
  if (rank.heard && heartbeat.pulse.beats == rank.last.pulse.beats) return;
  rank.beat_at = now;
  const std::int64_t steps = heartbeat.pulse.step - rank.last.pulse.step;
  if (steps <= 0) return;
  // The first change may be the jump to the step of a checkpoint.
  if (++rank.step_changes > 1) {
    step_seconds_.push_back((now - rank.step_at) / static_cast<double>(steps));
    if (step_seconds_.size() > kStepSamples) step_seconds_.pop_front();
  }
  rank.step_at = now;
}

std::optional<Verdict> RankWatch::check() {
  const double now = clock_.seconds();
  forgive_own_pause(now);
  if (auto silent = find_silent(now)) return silent;
  if (auto unheard = find_unheard(now)) return unheard;
  return find_stuck(now);
}

void RankWatch::forgive_own_pause(double now) {
  // A check that comes late (this process was stopped, or the machine swapped) has heard nobody
  // meanwhile; neither has it a right to complain.
  const double late = now - checked_at_ - 2 * limits_.interval;
  checked_at_ = now;
  if (late <= 0) return;
  for (Rank& rank : ranks_) {
    for (double* at : {&rank.heard_at, &rank.beat_at, &rank.step_at}) {
      *at = std::min(now, *at + late);
    }
  }
}

std::optional<Verdict> RankWatch::find_silent(double now) const {
  const Rank* culprit = nullptr;
  int others = 0;
  for (const Rank& rank : ranks_) {
    if (!rank.heard || rank.last.end == RankEnd::kDone) continue;
    const double silence = now - rank.heard_at;
    const bool gone = rank.last.end == RankEnd::kRunning && rank.in_proc &&
                      silence > kGoneIntervals * limits_.interval &&
                      (state_of(rank) == 0 || state_of(rank) == 'Z');
    if (silence <= limits_.silent && !gone) continue;
    if (culprit) ++others;
    if (!culprit || rank.heard_at < culprit->heard_at) culprit = &rank;
  }
  if (!culprit) return std::nullopt;
  const std::string since = format_duration(now - culprit->heard_at);
  const std::string more = others > 0 ? fmt::format(" ({} more are silent as well)", others) : "";
  if (culprit->last.end == RankEnd::kFailed) {
    return Verdict{culprit->last.rank, "failed",
                   fmt::format("{} ended with an error {} ago. Look at its log for the reason.",
                               describe(*culprit), since)};
  }
  const Finding found = explain_silence(state_of(*culprit), culprit->last.pid);
  return Verdict{culprit->last.rank, found.cause,
                 fmt::format("{}: {}; no heartbeat for {}{}. {}", describe(*culprit), found.what,
                             since, more, found.advice)};
}

double RankWatch::unheard_limit() const { return std::max(limits_.silent, limits_.stall); }

std::vector<int> RankWatch::unheard() const {
  std::vector<int> found;
  for (const Rank& rank : ranks_) {
    if (!rank.heard && checked_at_ - rank.heard_at > limits_.silent)
      found.push_back(rank.last.rank);
  }
  return found;
}

// One that works takes part in every sum: the others do not wait for long.
std::optional<Verdict> RankWatch::find_unheard(double now) const {
  const auto found = unheard();
  const bool missed = std::any_of(ranks_.begin(), ranks_.end(), [&](const Rank& rank) {
    return rank.heard && rank.last.end == RankEnd::kRunning &&
           rank.last.pulse.activity == Activity::kWaiting && now - rank.beat_at > unheard_limit();
  });
  if (found.empty() || !missed) return std::nullopt;
  const Rank& culprit = ranks_[static_cast<std::size_t>(found.front())];
  const std::string more =
      found.size() > 1 ? fmt::format(" (nor from {} more)", found.size() - 1) : "";
  return Verdict{culprit.last.rank, "silent",
                 fmt::format("rank {}: no heartbeat since the start, {} ago{}. Look at its log: "
                             "did it start, does its host reach this one?",
                             culprit.last.rank, format_duration(now - culprit.heard_at), more)};
}

std::optional<Verdict> RankWatch::find_stuck(double now) const {
  if (limits_.stall <= 0) return std::nullopt;
  const Rank* culprit = nullptr;
  bool somebody_works = false, somebody_waits_too_long = false;
  for (const Rank& rank : ranks_) {
    // A rank without work (kIdle) may wait for as long as the others like; one that has finished
    // only says goodbye, and whoever waits for that has a limit (Coordinator::finish).
    const Activity activity = rank.last.pulse.activity;
    if (!rank.heard) continue;
    if (rank.last.end != RankEnd::kRunning || activity == Activity::kFinished ||
        activity == Activity::kIdle) {
      continue;
    }
    const bool over = now - rank.beat_at > stall_limit(rank);
    if (activity == Activity::kWaiting) {
      (over ? somebody_waits_too_long : somebody_works) = true;
    } else if (!over) {
      somebody_works = true;
    } else if (!culprit || rank.last.pulse.step < culprit->last.pulse.step) {
      culprit = &rank;
    }
  }
  if (culprit) {
    return Verdict{culprit->last.rank, "stuck",
                   fmt::format("{}: no sign of progress for {}: {}.", describe(*culprit),
                               format_duration(now - culprit->beat_at),
                               explain_stall(culprit->last.pulse.activity, state_of(*culprit)))};
  }
  // Those who wait are waiting for one that works: not a hang yet.
  if (somebody_works || !somebody_waits_too_long) return std::nullopt;
  const auto behind =
      std::min_element(ranks_.begin(), ranks_.end(), [](const Rank& a, const Rank& b) {
        const bool a_runs = a.last.end == RankEnd::kRunning,
                   b_runs = b.last.end == RankEnd::kRunning;
        return a_runs != b_runs ? a_runs : a.last.pulse.step < b.last.pulse.step;
      });
  return Verdict{-1, "deadlock",
                 fmt::format("every rank waits for the others (furthest behind: {}) for {}: the "
                             "network between them, or one that ended early. Look at the logs of "
                             "all ranks.",
                             describe(*behind), format_duration(now - behind->beat_at))};
}

double RankWatch::stall_limit(const Rank& rank) const {
  const double limit = std::max(limits_.stall, WatchLimits::kStepsPerStall * median_step_seconds());
  const bool slow = is_slow_by_nature(rank.last.pulse.activity) || rank.step_changes < 2;
  return slow ? WatchLimits::kSlowFactor * limit : limit;
}

char RankWatch::state_of(const Rank& rank) const {
  return rank.in_proc ? probe_(rank.last.pid) : '?';
}

std::string RankWatch::describe(const Rank& rank) const {
  const Pulse::Reading& pulse = rank.last.pulse;
  const bool named = pulse.activity == Activity::kWaiting && pulse.waits_for >= 0;
  return fmt::format("rank {} (host {}, pid {}), step {}, {}{}", rank.last.rank, rank.last.host,
                     rank.last.pid, pulse.step, activity_name(pulse.activity),
                     named ? fmt::format(" {}", pulse.waits_for) : "");
}

bool RankWatch::all_ended(int except) const {
  return std::all_of(ranks_.begin(), ranks_.end(), [&](const Rank& rank) {
    return rank.last.rank == except || !rank.heard || rank.last.end != RankEnd::kRunning;
  });
}

double RankWatch::median_step_seconds() const {
  if (step_seconds_.empty()) return 0;
  std::vector<double> sorted(step_seconds_.begin(), step_seconds_.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

Json RankWatch::report() const {
  const double now = clock_.seconds();
  Json all = Json::array();
  for (const Rank& rank : ranks_) {
    Json one = to_json(rank.last);
    one.erase("seconds_since");
    one.erase("beats");
    const Pulse::Reading& pulse = rank.last.pulse;
    const bool named = pulse.activity == Activity::kWaiting && pulse.waits_for >= 0;
    one["waits_for"] = named ? Json(pulse.waits_for) : Json();
    one["heard"] = rank.heard;
    one["seconds_in_activity"] = now - rank.beat_at;
    one["heartbeat_age"] = now - rank.heard_at;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace lacuna::coordinator

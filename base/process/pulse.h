// What a rank is doing, written by its trainer and read by another thread at any moment: the source
// of heartbeats. Wait-free on both sides; a reading may mix a step with the activity before it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace lacuna {

enum class Activity : int {
  kStarting,
  kWaitingForData,
  kComputing,  // forward and backward
  kWaiting,    // for another rank, whatever for: a sum, a score, the result of a phase
  kUpdating,   // optimiser
  kMeta,       // a phase on the meta set
  kValidating,
  kSaving,
  kIdle,  // a validation rank without a job
  kFinished
};

constexpr const char* activity_name(Activity activity) {
  constexpr const char* names[] = {"starting", "waiting for data", "computing",  "waiting for rank",
                                   "updating", "meta step",        "validating", "saving",
                                   "idle",     "finished"};
  return names[static_cast<int>(activity)];
}

class Pulse {
 public:
  struct Reading {
    std::int64_t step = 0;  // steps done
    Activity activity = Activity::kStarting;
    double seconds_since = 0;  // since the last call of beat()
    std::int64_t beats = 0;    // calls of beat() so far
    int waits_for = -1;        // kWaiting: the rank waited for; -1: any of the others
  };

  // Called at every change of activity, and again within long ones (per gradient of a step, per
  // case of a validation): a beat proves that the trainer gets on. One that waits does not beat.
  void beat(std::int64_t step, Activity activity, int waits_for = -1) noexcept {
    step_.store(step, std::memory_order_relaxed);
    activity_.store(activity, std::memory_order_relaxed);
    waits_for_.store(waits_for, std::memory_order_relaxed);
    at_.store(now(), std::memory_order_relaxed);
    beats_.fetch_add(1, std::memory_order_release);
  }

  Reading read() const noexcept {
    const std::int64_t beats = beats_.load(std::memory_order_acquire);
    return {step_.load(std::memory_order_relaxed), activity_.load(std::memory_order_relaxed),
            static_cast<double>(now() - at_.load(std::memory_order_relaxed)) * 1e-9, beats,
            waits_for_.load(std::memory_order_relaxed)};
  }

 private:
  static std::int64_t now() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::atomic<std::int64_t> step_{0}, at_{now()}, beats_{0};
  std::atomic<Activity> activity_{Activity::kStarting};
  std::atomic<int> waits_for_{-1};
};

}  // namespace lacuna

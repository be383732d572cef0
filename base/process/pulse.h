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
  kReducing,   // waiting for the other ranks
  kUpdating,   // optimiser
  kMeta,       // a phase on the meta set
  kValidating,
  kSaving,
  kIdle,  // a validation rank without a job
  kFinished
};

constexpr const char* activity_name(Activity activity) {
  constexpr const char* names[] = {"starting", "waiting for data", "computing",  "reducing",
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
  };

  // Called at every change of activity, and again within long ones (per case of a validation).
  void beat(std::int64_t step, Activity activity) noexcept {
    step_.store(step, std::memory_order_relaxed);
    activity_.store(activity, std::memory_order_relaxed);
    at_.store(now(), std::memory_order_relaxed);
    beats_.fetch_add(1, std::memory_order_release);
  }

  Reading read() const noexcept {
    const std::int64_t beats = beats_.load(std::memory_order_acquire);
    return {step_.load(std::memory_order_relaxed), activity_.load(std::memory_order_relaxed),
            static_cast<double>(now() - at_.load(std::memory_order_relaxed)) * 1e-9, beats};
  }

 private:
  static std::int64_t now() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::atomic<std::int64_t> step_{0}, at_{now()}, beats_{0};
  std::atomic<Activity> activity_{Activity::kStarting};
};

}  // namespace lacuna

#include "experiments/local_executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "base/text/log.h"
#include "experiments/run_journal.h"

namespace lacuna::experiments {
namespace {

// What is left to do, handed out to slots.
class Queue {
 public:
  Queue(const SweepDirectory& directory, const SweepPlan& plan,
        const std::vector<const PlannedRun*>& runs)
      : plan_(plan), waiting_(runs), open_(plan.groups.size()), broken_(plan.groups.size()) {
    // Runs that are not to be started count as they stand.
    std::vector<bool> given(plan.runs.size());
    for (const PlannedRun* run : runs)
      given[static_cast<std::size_t>(run - plan.runs.data())] = true;
    for (std::size_t i = 0; i < plan.runs.size(); ++i) {
      const PlannedRun& run = plan.runs[i];
      if (given[i]) {
        ++open_[run.group];
      } else if (!read_journal(directory.journal(run.id)).done) {
        broken_[run.group] = true;
      }
    }
  }

  // The next run that may start; nothing when none is left that will ever be able to.
  const PlannedRun* take(const std::function<bool()>& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (stop()) return nullptr;
      const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                     [&](const PlannedRun* run) { return may_start(*run); });
      if (next != waiting_.end()) {
        const PlannedRun* run = *next;
        waiting_.erase(next);
        return run;
      }
      const bool hope = std::any_of(waiting_.begin(), waiting_.end(),
                                    [&](const PlannedRun* run) { return !is_blocked(*run); });
      if (!hope) return nullptr;
      changed_.wait_for(lock, std::chrono::milliseconds(200));  // a signal does not notify
    }
  }

  void ended(const PlannedRun& run, bool done) {
    const std::lock_guard lock(mutex_);
    --open_[run.group];
    if (!done) broken_[run.group] = true;
    changed_.notify_all();
  }

  std::size_t left() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  bool may_start(const PlannedRun& run) const {
    const auto& after = plan_.groups[run.group].after;
    return std::all_of(after.begin(), after.end(),
                       [&](std::size_t group) { return open_[group] == 0 && !broken_[group]; });
  }
  bool is_blocked(const PlannedRun& run) const {
    const auto& after = plan_.groups[run.group].after;
    return std::any_of(after.begin(), after.end(), [&](std::size_t group) {
      return broken_[group] ||
             std::any_of(waiting_.begin(), waiting_.end(), [&](const auto* other) {
               return other->group == group && is_blocked(*other);
             });
    });
  }

  const SweepPlan& plan_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<const PlannedRun*> waiting_;
  std::vector<std::size_t> open_;  // by group: given runs that have not ended
  std::vector<bool> broken_;       // by group: some run of it is not done, and will not be
};

class Executor {
 public:
  Executor(const SweepDirectory& directory, const SweepPlan& plan,
           const std::vector<const PlannedRun*>& runs, const ResolveRun& resolve,
           const LocalOptions& options, const Lease& lock, const SignalSource& signals,
           const LocalProgress& progress)
      : directory_(directory),
        plan_(plan),
        resolve_(resolve),
        options_(options),
        progress_(progress),
        stop_([this, &lock, &signals] { return failed_ || lock.lost() || signals.pending() != 0; }),
        queue_(directory, plan, runs) {}

  LocalOutcome run() {
    {
      std::vector<std::jthread> slots;
      for (int i = 0; i < options_.at_once; ++i) {
        slots.emplace_back([this, i] { work(static_cast<std::size_t>(i)); });
      }
    }
    if (failure_) std::rethrow_exception(failure_);
    outcome_.blocked = queue_.left();
    return outcome_;
  }

 private:
  // A slot is a thread that starts child processes and outlives them.
  void work(std::size_t slot) {
    try {
      TaskSettings settings = options_.task;
      if (!options_.slots.empty()) {
        for (const auto& [name, value] : options_.slots[slot % options_.slots.size()]) {
          settings.environment[name] = value;
        }
      }
      const ResolveRun resolve = [this](const Json& run, const std::string& where) {
        const std::lock_guard lock(mutex_);  // a resolver is for one thread
        return resolve_(run, where);
      };
      while (const PlannedRun* run = queue_.take(stop_)) {
        tell(*run, "start");
        const ExitCode code = run_task(directory_, plan_, *run, resolve, settings, stop_);
        count(*run, code);
        queue_.ended(*run, code == ExitCode::kDone);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      failed_ = true;
    }
  }

  void count(const PlannedRun& run, ExitCode code) {
    const bool stopped = code == ExitCode::kSavedOnRequest || code == ExitCode::kPeerLost;
    {
      const std::lock_guard lock(mutex_);
      ++(code == ExitCode::kDone ? outcome_.done : stopped ? outcome_.stopped : outcome_.failed);
    }
    tell(run, code == ExitCode::kDone ? "done" : stopped ? "stopped" : "failed");
  }

  void tell(const PlannedRun& run, const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (progress_) progress_(run, what, outcome_);
  }

  const SweepDirectory& directory_;
  const SweepPlan& plan_;
  const ResolveRun& resolve_;
  const LocalOptions& options_;
  const LocalProgress& progress_;
  std::mutex mutex_;
  LocalOutcome outcome_;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
  const std::function<bool()> stop_;
  Queue queue_;
};

}  // namespace

LocalOutcome run_locally(const SweepDirectory& directory, const SweepPlan& plan,
                         const std::vector<const PlannedRun*>& runs, const ResolveRun& resolve,
                         const LocalOptions& options, const Lease& lock,
                         const SignalSource& signals, const LocalProgress& progress) {
  return Executor(directory, plan, runs, resolve, options, lock, signals, progress).run();
}

}  // namespace lacuna::experiments

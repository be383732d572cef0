// Looks at something again and again on a thread of its own, so that one that takes its time (a
// server that does not answer) holds up neither keys nor drawing.
//
// Thread-safe. Destruction waits for the look that is under way.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace lacuna::app {

template <typename Sight>
class Lookout {
 public:
  // The first look is made here; what it throws is thrown.
  Lookout(std::function<Sight()> look, double seconds_between)
      : look_(std::move(look)),
        between_(seconds_between),
        latest_(std::make_shared<const Sight>(look_())),
        thread_([this](std::stop_token stop) { watch(std::move(stop)); }) {}

  // Throws what the last look threw.
  std::shared_ptr<const Sight> latest() const {
    const std::lock_guard lock(mutex_);
    if (error_) std::rethrow_exception(error_);
    return latest_;
  }

 private:
  void watch(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, between_, [&] { return stop.stop_requested(); })) {
      if (stop.stop_requested()) return;
      lock.unlock();
      std::shared_ptr<const Sight> sight;
      std::exception_ptr error;
      try {
        sight = std::make_shared<const Sight>(look_());
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (sight) latest_ = sight;
      error_ = error;
    }
  }

  const std::function<Sight()> look_;
  const std::chrono::duration<double> between_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::shared_ptr<const Sight> latest_;
  std::exception_ptr error_;
  std::jthread thread_;
};

}  // namespace lacuna::app

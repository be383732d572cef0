#include "comm/deadline.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace lacuna::comm {

bool poll_until(const std::function<bool()>& done, Seconds deadline, const Clock& clock) {
  constexpr int kSpins = 200;
  const double start = clock.seconds();
  for (int spins = 0; !done(); ++spins) {
    if (spins < kSpins) continue;
    if (clock.seconds() - start > deadline.count()) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

bool run_within(Seconds deadline, std::function<void()> call) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, call = std::move(call)] {
    call();
    const std::lock_guard lock(shared->mutex);
    shared->done = true;
    shared->changed.notify_one();
  }).detach();
  std::unique_lock lock(shared->mutex);
  return shared->changed.wait_for(lock, deadline, [&] { return shared->done; });
}

}  // namespace lacuna::comm

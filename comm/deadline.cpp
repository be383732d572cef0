#include "comm/deadline.h"

#include <thread>

namespace lacuna::comm {

bool poll_until(const std::function<bool()>& done, Seconds deadline, const Clock& clock) {
  constexpr int kSpins = 200;
  // A sleep of 50 us takes 100 and more: too long for small messages of ranks in step.
  constexpr double kAttentiveSeconds = 300e-6;
  const double start = clock.seconds();
  for (int spins = 0; !done(); ++spins) {
    if (spins < kSpins) continue;
    const double waited = clock.seconds() - start;
    if (waited > deadline.count()) return false;
    if (waited < kAttentiveSeconds) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  return true;
}

}  // namespace lacuna::comm

// Spreads events out: `burst` of them at once, no more than `per_second` in the long run.
//
// Pure arithmetic on the times that it is given (the generic cell rate algorithm). One thread at a
// time.
#pragma once

#include <algorithm>
#include <chrono>

namespace lacuna::coordinator {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // per_second 0: nothing waits.
  Pace(double per_second, int burst)
      : interval_(per_second > 0 ? std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(1 / per_second))
                                 : Clock::duration::zero()),
        slack_(interval_ * burst) {}

  // Counts an event at `now`; how long it has to wait for its turn.
  Clock::duration take(Clock::time_point now) {
    due_ = std::max(due_, now) + interval_;
    return std::max(due_ - now - slack_, Clock::duration::zero());
  }

 private:
  Clock::duration interval_, slack_;
  Clock::time_point due_{};
};

}  // namespace lacuna::coordinator

// A clock that stands still until a test moves it.
#pragma once

#include <atomic>

#include "base/process/clock.h"

namespace lacuna {

class FakeClock final : public Clock {
 public:
  double seconds() const override { return now_; }
  double unix_seconds() const override { return kStart + now_; }
  void advance(double seconds) { now_ = now_ + seconds; }

 private:
  static constexpr double kStart = 1'700'000'000;
  std::atomic<double> now_{0};
};

}  // namespace lacuna

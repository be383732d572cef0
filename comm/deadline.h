// Waiting that always ends: polling up to a deadline, and calls that may never return.
#pragma once

#include <functional>
#include <utility>

#include "base/process/clock.h"
#include "base/process/deadlines.h"
#include "comm/communicator.h"

namespace lacuna::comm {

// Asks `done` until it is true; false when the deadline passed first. It is asked at least once,
// then again and again for 0.3 ms, giving way to whoever else wants the core (short operations stay
// short), then every 50 us, which leaves the core to others.
bool poll_until(const std::function<bool()>& done, Seconds deadline,
                const Clock& clock = steady_clock());

// As lacuna::run_within().
inline bool run_within(Seconds deadline, std::function<void()> call) {
  return lacuna::run_within(deadline.count(), std::move(call));
}

}  // namespace lacuna::comm

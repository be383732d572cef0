// Waiting that always ends: polling up to a deadline, and calls that may never return.
#pragma once

#include <functional>

#include "base/process/clock.h"
#include "comm/communicator.h"

namespace lacuna::comm {

// Asks `done` until it is true; false when the deadline passed first. It is asked at least once,
// then again and again for 0.3 ms, giving way to whoever else wants the core (short operations stay
// short), then every 50 us, which leaves the core to others.
bool poll_until(const std::function<bool()>& done, Seconds deadline,
                const Clock& clock = steady_clock());

// Runs `call` in a thread of its own; false when it has not returned by the deadline. The thread
// then stays behind: end the process soon. What `call` uses must live as long.
bool run_within(Seconds deadline, std::function<void()> call);

}  // namespace lacuna::comm

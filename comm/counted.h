// A communicator that counts how long this rank waits for the others, by kind of operation
// (lacuna_collective_seconds). Results, order and buffers are those of the one it stands before.
#pragma once

#include <memory>

#include "base/metrics/metrics.h"
#include "comm/communicator.h"

namespace lacuna::comm {

// `inner` and `metrics` outlive the result; communicators split off it are counted too.
std::unique_ptr<Communicator> count_waits(Communicator& inner, Metrics& metrics);

}  // namespace lacuna::comm

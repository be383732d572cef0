// How long a sum over ranks takes, and whether it is right: for `lacuna bench allreduce` and for
// the check before a run. Bandwidths are defined as in nccl-tests.
#pragma once

#include <cstddef>
#include <cstdint>

#include "comm/communicator.h"

namespace lacuna::comm {

struct AllReduceSettings {
  bool bf16 = false;
  int gpu = -1;  // sums in that GPU's memory; -1: in host memory
  int warm_up = 3, iterations = 15;
  Seconds deadline{60};  // of one sum
};

struct AllReduceTiming {
  std::size_t bytes = 0, count = 0;
  double seconds = 0;  // median over iterations, on the slowest rank
  std::int64_t wrong =
      0;  // elements with another value than the sum worked out by hand, worst rank

  double algorithm_bandwidth() const { return static_cast<double>(bytes) / seconds; }
  // Bytes per second over each rank's link: a ring moves 2 (n - 1) / n of the buffer through it.
  double bus_bandwidth(int ranks) const {
    return algorithm_bandwidth() * 2 * (ranks - 1) / static_cast<double>(ranks);
  }
};

// Collective. `bytes` is rounded down to whole elements, at least one.
CommResult time_all_reduce(Communicator& ranks, std::size_t bytes,
                           const AllReduceSettings& settings, AllReduceTiming& timing);

}  // namespace lacuna::comm

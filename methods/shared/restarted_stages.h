// The two stages that the ShaSpec code base starts by hand, the second from the first one's weights
// and optimiser state: every modality, then random subsets. Pure function.
//
// SGD with Nesterov momentum 0.99 on one group, rate 1e-2 (1 - i / I)^0.9 at published iteration i.
// The second stage goes on at the number of the first one's last iteration with an I of its own,
// which restarts the rate. Run step = i, so that iteration, whose rate in the first stage is next
// to nothing (4e-7), happens once, in the second stage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "methods/method.h"

namespace lacuna::methods {

struct RestartedStages {
  std::string group;         // what phase "train" trains
  std::int64_t steps = 1;    // of the run; I of the second stage
  std::int64_t warm_up = 0;  // I of the first stage, which is left out below 2
  bool cosine = false;       // one cosine over the run in place of both curves
};

// Stages "full" and "random", or "random" alone, each with a phase "train" and batch-level subsets.
std::vector<Stage> restarted_stages(const RestartedStages& wanted);

}  // namespace lacuna::methods

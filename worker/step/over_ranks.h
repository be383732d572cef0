// The sum of a small tensor over the trainers, with a backward pass that needs no communication:
// what a loss that looks at the whole batch sees of the other ranks (methods::Batch::over_ranks).
//
// Rank r computes c_r of the C samples that are computed at once. Its loss L(S), S = sum_r s_r, is
// weighted by c_r / N of a batch of N, and gradients are summed over ranks. Backward gives s_r the
// gradient L'(S) divided by c_r / C, so that the sum is
//   sum_r c_r / N * L' * C / c_r * ds_r = C / N * L' * dS:
// that of one process. Nothing is in flight from backward that could meet the sums of gradients.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "worker/run/rank_group.h"

namespace lacuna::worker {

// share: c_r / C. The function sums in float, whatever the tensor's type, and waits with the
// group's deadline: it throws PeerLost. `ranks` must outlive it. Collective over the trainers, in
// order.
std::function<at::Tensor(const at::Tensor&)> sum_over_ranks(RankGroup& ranks, double share);

}  // namespace lacuna::worker

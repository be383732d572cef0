// More tasks than one array may hold: several arrays that behave as one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "slurm/scheduler.h"

namespace lacuna::slurm {

struct SubmittedArray {
  std::string job;
  std::string name;                // of the request, ".2" and so on added from the second on
  std::vector<std::string> tasks;  // by index
};

// The requests that submit_all() will make. With a throttle each starts after the one before has
// ended: SLURM counts per array, and side by side they would run more tasks than allowed.
std::vector<ArrayRequest> split(const ArrayRequest& request, int max_array_size);

// Submits all of them. `before` is called with the name of an array about to be submitted and
// `after` with what was: a caller who writes both down can find() what a crash between them left.
// An exception leaves the earlier arrays submitted.
std::vector<SubmittedArray> submit_all(
    Scheduler& scheduler, const ArrayRequest& request,
    const std::function<void(const ArrayRequest&)>& before = {},
    const std::function<void(const SubmittedArray&)>& after = {});

}  // namespace lacuna::slurm

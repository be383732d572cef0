// What a request for an array must be like before anything is written or submitted.
#pragma once

#include "slurm/scheduler.h"

namespace lacuna::slurm {

// Throws ConfigError naming the first thing that is wrong: a name or a resource with characters
// that have no business there, a number out of range, an extra line that would undo ours.
void check_request(const ArrayRequest& request);

// The same for the resources alone, so that a sweep is refused before it is planned.
void check_resources(const Resources& resources);

}  // namespace lacuna::slurm

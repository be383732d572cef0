// The batch system that the sweep commands talk to.
#pragma once

#include <memory>

#include "experiments/sweep_directory.h"
#include "slurm/scheduler.h"

namespace lacuna::app {

std::unique_ptr<slurm::Scheduler> scheduler();
// Nothing when no run of the sweep was ever submitted: then there is nothing to ask.
std::unique_ptr<slurm::Scheduler> scheduler_if_used(const experiments::SweepDirectory& directory);

}  // namespace lacuna::app

// `--local N`: runs of a sweep on this machine, with what a person sees meanwhile.
#pragma once

#include <vector>

#include "base/error.h"
#include "base/files/lease.h"
#include "experiments/run_task.h"

namespace lacuna::app {

// 0: all given runs are done; 75: stopped on request; 1: some failed.
ExitCode run_sweep_here(const experiments::SweepDirectory& directory,
                        const experiments::SweepPlan& plan,
                        const std::vector<const experiments::PlannedRun*>& runs,
                        const experiments::ResolveRun& resolve, int at_once, const Lease& lock,
                        bool quiet);

}  // namespace lacuna::app

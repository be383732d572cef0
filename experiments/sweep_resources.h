// What a run of a sweep may use: section `resources` of a sweep file. Value type.
#pragma once

#include <string>

#include "base/text/json.h"
#include "base/text/options.h"
#include "slurm/scheduler.h"

namespace lacuna::experiments {

struct SweepResources {
  slurm::Resources job;
  int throttle = 0;          // runs at once; 0: as many as the cluster lets
  int max_requeues = 20;     // of a run
  int signal_seconds = 180;  // from the request to save until the time limit
  std::string staging;       // where node-local directories are made; empty: none
  std::string launcher = "auto";
};

// The keys of the section, without its name: for documents and checks.
std::vector<Option> resource_options();

// Fills in defaults and checks. Throws ConfigError, which opens with `where`.
SweepResources read_resources(const Json& section, const std::string& where);

}  // namespace lacuna::experiments

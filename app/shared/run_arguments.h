// Arguments that name runs: run directories, and directories of sweeps, which stand for all of
// their runs that have begun.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/sweep_directory.h"

namespace lacuna::app {

struct NamedRun {
  std::filesystem::path directory;
  std::string label;  // unique among those named at once
};

// Throws DataError: neither one nor the other, or a sweep of which no run has begun.
std::vector<NamedRun> named_runs(const std::vector<std::string>& arguments);

// The runs of a sweep that have begun. Throws DataError where none has.
std::vector<NamedRun> begun_runs(const experiments::SweepDirectory& directory,
                                 const experiments::SweepPlan& plan);

}  // namespace lacuna::app

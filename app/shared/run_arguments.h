// Arguments that name runs: run directories, and directories of sweeps, which stand for all of
// their runs that have begun.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lacuna::app {

struct NamedRun {
  std::filesystem::path directory;
  std::string label;  // unique among those named at once
};

// Throws DataError: neither one nor the other, or a sweep of which no run has begun.
std::vector<NamedRun> named_runs(const std::vector<std::string>& arguments);

}  // namespace lacuna::app

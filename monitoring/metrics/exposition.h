// The figures of a run in the text format that Prometheus reads (version 0.0.4): one family per
// metric, in the order of base/metrics/metric_names.h, every series with the label `run` and, where
// ranks have their own, `rank`. Pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/watch/coordinator.h"

namespace lacuna::monitoring {

inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

std::string exposition(const std::string& run, const std::vector<coordinator::RankSamples>& ranks);

// Name of the run in labels: that of its directory, and six hex digits that tell runs of equal
// names apart. Holds nothing else of the path.
std::string run_label(const std::filesystem::path& run_directory);

// Name of the sweep: of the directory that holds `runs/` with this run in it and a plan.json; "".
std::string sweep_label(const std::filesystem::path& run_directory);

}  // namespace lacuna::monitoring

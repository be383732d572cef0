// What a figure is that a run is watched by: its name, kind, unit, help and label names.
// base/metrics/metric_names.h declares all of them.
#pragma once

#include <array>
#include <string_view>

namespace lacuna {

enum class MetricKind { kCounter, kGauge, kHistogram };

// Lives as long as the program. `labels` are the names that tell series apart besides `run` and,
// where per_rank is set, `rank`; unused ones are empty.
struct Metric {
  std::string_view name;
  MetricKind kind = MetricKind::kGauge;
  std::string_view unit;  // "seconds", "bytes", "ratio", ...; "" for numbers without one
  std::string_view help;
  bool per_rank = false;  // each rank has its own; else rank 0 tells it for the run
  std::array<std::string_view, 7> labels{};

  constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < labels.size() && !labels[count].empty()) ++count;
    return count;
  }
};

// Upper bounds of the buckets of every histogram, seconds: from a step of a toy on a GPU to a
// checkpoint on a slow file system. One more bucket takes what is above.
inline constexpr std::array<double, 16> kBucketBounds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

}  // namespace lacuna

// How far a run is, read from the files that its trainer writes while it works.
#pragma once

#include <cstdint>
#include <optional>

#include "base/files/file_system.h"

namespace lacuna::experiments {

struct RunCourse {
  std::int64_t step = 0;               // last one that was logged
  std::optional<double> step_seconds;  // median of the newest lines
  std::optional<double> best_score;    // of its validations: mean Dice
};

// What is missing or torn is left out. Reads the end of metrics.jsonl, and events.jsonl.
RunCourse read_course(const Path& run_directory);

// The end of a text file, without the line that the cut goes through.
std::string read_tail(const Path& path, std::int64_t bytes);

}  // namespace lacuna::experiments

// Trying a run out: some steps of it in a temporary directory, from which nothing stays.
#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna::app {

// What a user gives: the run file's content, its name, and settings that override it.
struct Trial {
  Json run;
  std::string file;
  std::vector<std::string> settings;
  int ranks = 1;  // among which the batch is divided; one of them is tried
};

// `lacuna train --dry-run`: everything up to the first steps, and a few of them; prints what the
// run is, and an estimate of time and memory.
void dry_run(const Trial& trial);

// `lacuna train --lr-range LOW:HIGH` (Smith, WACV 2017): the rate of every group grows
// geometrically from low to high over some steps. Prints step, rate, loss and smoothed loss as CSV,
// and suggests a rate. Throws ConfigError for a range that is none.
void learning_rate_range(const Trial& trial, const std::string& range, std::int64_t steps);

}  // namespace lacuna::app

// The options that `metrics` and `eval` share: which scores, and post-processing by size.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "evaluation/scores/overlap.h"

namespace lacuna::app {

struct ScoreArguments {
  std::vector<std::string> scores, region_minimums;
  std::string et_minimum;
};

void add_score_options(CLI::App& command, ScoreArguments& arguments);
void add_minimum_options(CLI::App& command, ScoreArguments& arguments);  // without --scores

// Throws ConfigError on what cannot be read.
std::vector<evaluation::RegionMinimum> read_minimums(const ScoreArguments& arguments);
void apply(const ScoreArguments& arguments, evaluation::ScoreOptions& options);

}  // namespace lacuna::app

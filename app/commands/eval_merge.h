// lacuna eval --merge: the tables of a family of runs, one model per subset, from their own
// evaluations.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lacuna::app {

struct MergeArguments {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;
  std::string split, part;  // "": the split of the runs; the evaluation that all have
  bool json = false, quiet = false;
};

// Writes cases.csv, subsets.csv, table.md, ..., summary.json into `out`. Throws ConfigError and
// DataError as monitoring::join_evaluations().
void merge_evaluations(const MergeArguments& arguments);

}  // namespace lacuna::app

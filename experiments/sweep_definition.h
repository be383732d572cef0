// A sweep as its author wrote it: which runs there are, how they are evaluated, what each needs.
// The file and its keys: docs/sweeps.md.
//
// Reading checks everything that can be wrong with the file by itself; whether the runs are right
// shows when they are resolved (sweep_plan.h). All messages open with the file and name the path of
// the key. Value types.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "experiments/sweep_resources.h"

namespace lacuna::experiments {

// One thing that varies: a key of the run with its values. The value of a section's name is an
// object whose keys are set one by one.
struct Axis {
  std::string key;
  std::vector<Json> values;
};

// For the runs that have all values of `when`.
struct OverrideRule {
  Json when, set;  // flat: "train.batch" -> 2
  Json resources;  // as the file has them, on top of those of the group
};

// Runs that belong together, in which other groups' results may be used.
struct SweepGroup {
  std::string name;
  Json base;                  // a run, without short forms
  std::vector<Axis> grid;     // every combination
  std::vector<Axis> zip;      // of equal length: value i of each together
  std::vector<Json> runs;     // further runs, flat
  std::vector<Json> exclude;  // flat: combinations that have all these values are left out
  std::vector<OverrideRule> overrides;  // in this order
  Json resources;                       // as the file has them
  std::vector<std::string> after;       // groups that must have ended well first
};

struct Evaluation {
  std::string part = "test";      // of the run's split
  std::string hd95 = "directed";  // directed, pooled, none
};

struct SweepDefinition {
  std::string file;  // opens each message
  std::string name;  // letters, digits, `.`, `_`, `-`
  std::int64_t max_runs = 10'000;
  Evaluation evaluate;
  Json report;  // resources of the job that writes the report, as the file has them
  std::vector<SweepGroup> groups;  // each after those that it waits for
  Json source;                     // what was read, with the base in it: sweep.json
};

// `file` opens messages and is where relative names in the file start from; `settings` ("key=value"
// of a run) override the base. Throws ConfigError.
SweepDefinition read_definition(const std::filesystem::path& file,
                                const std::vector<std::string>& settings = {});
SweepDefinition parse_definition(const Json& text, const std::filesystem::path& file,
                                 const std::vector<std::string>& settings = {});

// {"train": {"batch": 2}, "method": "unet"} -> {"train.batch": 2, "method": "unet"}.
Json flatten(const Json& object);

}  // namespace lacuna::experiments

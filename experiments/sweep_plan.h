// The runs of a sweep, each with its identity: what plan.json in a sweep directory holds.
//
// A run is called by the hash of what decides its result (worker/run/run_config.h), so the same run
// has the same name in every sweep, and work that is done is found again. Value types.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "experiments/sweep_definition.h"

namespace lacuna::experiments {

struct ResolvedRun {
  Json resolved;   // every key with its value
  std::string id;  // 16 hex digits: of what decides the result
};
// Throws ConfigError, which opens with `where`.
using ResolveRun = std::function<ResolvedRun(const Json& run, const std::string& where)>;

struct PlannedRun {
  std::string id, label;
  std::size_t group = 0;      // index in SweepPlan::groups
  std::size_t resources = 0;  // index in SweepPlan::resources
  Json set;                   // flat: on top of the group's base
  std::int64_t steps = 0;
  std::string kind;  // runs of one kind take the same time per step
};

struct PlannedGroup {
  std::string name;
  Json base;
  std::vector<std::size_t> after;  // indices of groups, all smaller than its own
};

struct SweepPlan {
  std::string name;
  Evaluation evaluate;
  std::vector<PlannedGroup> groups;
  std::vector<Json> resources;   // sections, as read_resources() takes them
  Json report = Json::object();  // the same, of the job that writes the report
  std::vector<PlannedRun> runs;

  Json run_object(const PlannedRun& run) const;         // what resolve takes
  const PlannedRun* find(const std::string& id) const;  // nullptr: none
};

// Throws ConfigError: a run that is wrong, two runs with one identity, no run, more than allowed.
SweepPlan make_plan(const SweepDefinition& definition, const ResolveRun& resolve);

// One line per run. from_text() throws DataError, which opens with `where`, for what is no plan.
std::string plan_text(const SweepPlan& plan);
SweepPlan plan_from_text(const std::string& text, const std::string& where);

}  // namespace lacuna::experiments

#include "experiments/predecessor.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/json_path.h"
#include "base/text/options.h"
#include "base/text/run_reference.h"

namespace lacuna::experiments {
namespace {

constexpr const char* kFrom = "init.weights.from";
constexpr const char* kWeights = "init.weights";
constexpr const char* kIdentity = "init.identity";

bool agree(const Json& one, const Json& other) {
  for (const auto& [key, value] : one.items()) {
    const auto there = other.find(key);
    if (there != other.end() && *there != value && !key.starts_with("init.")) return false;
  }
  return true;
}

std::size_t group_named(const Json& name, const SweepPlan& plan, const std::string& where) {
  std::vector<std::string> names;
  for (const std::size_t before : plan.groups.back().after) {
    if (plan.groups[before].name == name) return before;
    names.push_back(plan.groups[before].name);
  }
  throw_error<ConfigError>(
      "{}: {} is {}, which group {} does not wait for. Groups in its `after`: {}", where, kFrom,
      name.dump(), plan.groups.back().name,
      names.empty() ? "none" : fmt::to_string(fmt::join(names, ", ")));
}

}  // namespace

void name_predecessor(RunDraft& draft, const SweepPlan& plan, const std::vector<Json>& axes,
                      const std::string& where) {
  const Json* from = find_path(draft.run, kFrom);
  if (from == nullptr) return;
  const std::size_t group = group_named(*from, plan, where);
  std::vector<const PlannedRun*> fitting;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    if (plan.runs[i].group == group && agree(axes[i], draft.axes)) {
      fitting.push_back(&plan.runs[i]);
    }
  }
  if (fitting.empty()) {
    throw_error<ConfigError>(
        "{}: {}: no run of group {} has its values on the axes that both have. Give the groups the "
        "same values, or leave the axis out of one",
        where, kFrom, plan.groups[group].name);
  }
  if (fitting.size() > 1) {
    throw_error<ConfigError>(
        "{}: {}: {} runs of group {} have its values on the axes that both have, for example {} "
        "and {}. Add the axis in which they differ to this group",
        where, kFrom, fitting.size(), plan.groups[group].name, fitting[0]->label,
        fitting[1]->label);
  }
  draft.set.erase(kFrom);
  draft.set[kWeights] = "";
  draft.set[kIdentity] = reference_to_run(fitting.front()->id);
  for (const char* key : {kWeights, kIdentity}) set_value(draft.run, key, draft.set[key]);
}

std::optional<std::string> predecessor_of(const Json& resolved) {
  const Json* identity = find_path(resolved, kIdentity);
  const Json* weights = find_path(resolved, kWeights);
  if (!identity || !weights || *weights != "") return std::nullopt;
  return referenced_run(identity->get<std::string>());
}

}  // namespace lacuna::experiments

#include "experiments/sweep_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/text/json_path.h"
#include "base/text/options.h"
#include "base/text/parse_json.h"
#include "experiments/predecessor.h"
#include "experiments/run_expansion.h"
#include "slurm/request_check.h"

namespace lacuna::experiments {
namespace {

constexpr int kFormat = 1;  // of plan.json

std::string shown_at(const Json& resolved, const char* path) {
  const Json* value = find_path(resolved, path);
  if (!value) return "null";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string kind_of(const Json& resolved, const SweepResources& resources) {
  return fmt::format("{} width {} patch {} batch {}/{} {} ranks {} gpus {}",
                     shown_at(resolved, "method"), shown_at(resolved, "model.width"),
                     shown_at(resolved, "data.patch"), shown_at(resolved, "train.batch"),
                     shown_at(resolved, "train.micro_batch"), shown_at(resolved, "train.precision"),
                     resources.job.ranks, resources.job.gpus_per_rank);
}

// Also what a script of the batch system would not take, before anybody waits for it.
SweepResources checked_resources(const Json& section, const std::string& where) {
  SweepResources resources = read_resources(section, where);
  try {
    slurm::check_resources(resources.job);
  } catch (const ConfigError& error) {
    throw_error<ConfigError>("{}: {}", where, error.what());
  }
  return resources;
}

class Planner {
 public:
  Planner(const SweepDefinition& definition, const ResolveRun& resolve)
      : definition_(definition), resolve_(resolve) {}

  SweepPlan make() {
    plan_.name = definition_.name;
    plan_.evaluate = definition_.evaluate;
    plan_.report = definition_.report;
    checked_resources(plan_.report, definition_.file + ": report");
    RuleUse rules;
    for (const SweepGroup& group : definition_.groups) add(group, rules);
    rules.require_all(definition_.file);
    if (plan_.runs.empty()) {
      throw_error<ConfigError>("{}: no run is left: exclude takes them all", definition_.file);
    }
    return std::move(plan_);
  }

 private:
  void add(const SweepGroup& group, RuleUse& rules) {
    PlannedGroup planned{group.name, group.base, {}};
    for (std::size_t i = 0; i < plan_.groups.size(); ++i) {
      const auto& name = plan_.groups[i].name;
      if (std::find(group.after.begin(), group.after.end(), name) != group.after.end()) {
        planned.after.push_back(i);
      }
    }
    plan_.groups.push_back(std::move(planned));
    std::vector<RunDraft> drafts = expand(group, definition_.file, rules);
    const auto total = static_cast<std::int64_t>(plan_.runs.size() + drafts.size());
    if (total > definition_.max_runs) {
      throw_error<ConfigError>(
          "{}: {} runs are more than max_runs allows, {}. If you mean it, set max_runs",
          definition_.file, total, definition_.max_runs);
    }
    for (RunDraft& draft : drafts) add(std::move(draft));
  }

  void add(RunDraft draft) {
    const std::string where = fmt::format("{}: run {}", definition_.file, draft.label);
    name_predecessor(draft, plan_, axes_, where);
    const ResolvedRun resolved = resolve_(draft.run, where);
    const auto [there, is_new] = ids_.try_emplace(resolved.id, plan_.runs.size());
    if (!is_new) {
      throw_error<ConfigError>(
          "{}: runs {} ({}) and {} ({}) are the same: what differs does not decide the result. "
          "Leave one out",
          definition_.file, plan_.runs[there->second].label, plan_.runs[there->second].set.dump(),
          draft.label, draft.set.dump());
    }
    PlannedRun run;
    run.id = resolved.id;
    run.label = unique(draft.label, run.id);
    run.group = plan_.groups.size() - 1;
    run.resources = resources_index(draft.resources, where);
    run.set = std::move(draft.set);
    const Json* steps = find_path(resolved.resolved, "train.steps");
    run.steps = steps ? steps->get<std::int64_t>() : 0;
    run.kind = kind_of(resolved.resolved, read_[run.resources]);
    plan_.runs.push_back(std::move(run));
    axes_.push_back(std::move(draft.axes));
  }

  std::string unique(const std::string& label, const std::string& id) {
    if (labels_.insert(label).second) return label;
    const std::string of_group = label + " " + plan_.groups.back().name;
    if (definition_.groups.size() > 1 && labels_.insert(of_group).second) return of_group;
    return label + " " + id.substr(0, 6);
  }

  std::size_t resources_index(const Json& section, const std::string& where) {
    const auto found = std::find(plan_.resources.begin(), plan_.resources.end(), section);
    if (found != plan_.resources.end()) {
      return static_cast<std::size_t>(found - plan_.resources.begin());
    }
    read_.push_back(checked_resources(section, where + ": resources"));
    plan_.resources.push_back(section);
    return plan_.resources.size() - 1;
  }

  const SweepDefinition& definition_;
  const ResolveRun& resolve_;
  SweepPlan plan_;
  std::vector<SweepResources> read_;  // of plan_.resources
  std::vector<Json> axes_;            // of plan_.runs
  std::unordered_map<std::string, std::size_t> ids_;
  std::set<std::string> labels_;
};

Json head_json(const SweepPlan& plan) {
  Json groups = Json::array();
  for (const PlannedGroup& group : plan.groups) {
    groups.push_back({{"name", group.name}, {"after", group.after}, {"base", group.base}});
  }
  return {{"format", kFormat},
          {"name", plan.name},
          {"evaluate", {{"part", plan.evaluate.part}, {"hd95", plan.evaluate.hd95}}},
          {"groups", groups},
          {"resources", plan.resources},
          {"report", plan.report}};
}

void check_indices(const SweepPlan& plan) {
  for (std::size_t i = 0; i < plan.groups.size(); ++i) {
    for (const std::size_t before : plan.groups[i].after) {
      if (before >= i) throw_error<DataError>("a group waits for one that comes later");
    }
  }
  for (const PlannedRun& run : plan.runs) {
    const bool plain =
        run.id.size() == 16 && run.id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!plain) throw_error<DataError>("{} is no identity of a run", Json(run.id).dump());
    if (run.group >= plan.groups.size() || run.resources >= plan.resources.size()) {
      throw_error<DataError>("run {} names a group or resources that are not there", run.id);
    }
  }
}

}  // namespace

Json SweepPlan::run_object(const PlannedRun& run) const {
  Json object = groups.at(run.group).base;
  for (const auto& [key, value] : run.set.items()) set_value(object, key, value);
  return object;
}

const PlannedRun* SweepPlan::find(const std::string& id) const {
  const auto found =
      std::find_if(runs.begin(), runs.end(), [&](const PlannedRun& run) { return run.id == id; });
  return found == runs.end() ? nullptr : &*found;
}

SweepPlan make_plan(const SweepDefinition& definition, const ResolveRun& resolve) {
  return Planner(definition, resolve).make();
}

std::string plan_text(const SweepPlan& plan) {
  std::string text = head_json(plan).dump();
  text.back() = ',';  // instead of the closing brace
  text += "\"runs\":[";
  const char* separator = "\n";
  for (const PlannedRun& run : plan.runs) {
    text += separator + Json{{"id", run.id},       {"label", run.label},
                             {"group", run.group}, {"resources", run.resources},
                             {"set", run.set},     {"steps", run.steps},
                             {"kind", run.kind}}
                            .dump();
    separator = ",\n";
  }
  return text + "\n]}\n";
}

SweepPlan plan_from_text(const std::string& text, const std::string& where) {
  SweepPlan plan;
  try {
    const Json json = parse_json(text, "its text");
    if (json.at("format") != kFormat) {
      throw_error<DataError>("format {}, this version reads {}", json.at("format").dump(), kFormat);
    }
    plan.name = json.at("name");
    plan.evaluate = {json.at("evaluate").at("part"), json.at("evaluate").at("hd95")};
    for (const Json& group : json.at("groups")) {
      plan.groups.push_back(
          {group.at("name"), group.at("base"), group.at("after").get<std::vector<std::size_t>>()});
    }
    plan.resources = json.at("resources").get<std::vector<Json>>();
    plan.report = json.value("report", Json::object());
    for (const Json& run : json.at("runs")) {
      plan.runs.push_back({run.at("id"), run.at("label"), run.at("group"), run.at("resources"),
                           run.at("set"), run.at("steps"), run.at("kind")});
    }
    check_indices(plan);
  } catch (const std::exception& error) {
    throw_error<DataError>(
        "{}: not a plan of a sweep: {}. Submit the sweep file again: that makes the plan anew and "
        "repeats nothing that is done.",
        where, error.what());
  }
  return plan;
}

}  // namespace lacuna::experiments

#include "monitoring/report/families.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::monitoring {
namespace {

// Sections of a configuration that decide a result. Logging, validation and checkpoints do not.
constexpr const char* kDeciding[] = {"method", "data", "subsets", "model",
                                     "train",  "meta", "init",    "method_options"};

std::string subset_of(const RunRecord& run) {
  const Json options = run.config.value("method_options", Json::object());
  const Json subset = options.is_object() ? options.value("subset", Json()) : Json();
  return subset.is_string() ? subset.get<std::string>() : "";
}

// Every deciding key by its path, but for the subset.
Json deciding_keys(const RunRecord& run) {
  Json chosen = Json::object();
  for (const char* section : kDeciding) {
    if (run.config.contains(section)) chosen[section] = run.config[section];
  }
  if (chosen.contains("method_options") && chosen["method_options"].is_object()) {
    chosen["method_options"].erase("subset");
  }
  return chosen.flatten();
}

// "train.seed is 1 and 2", or nothing.
std::optional<std::string> difference(const RunRecord& a, const RunRecord& b) {
  const Json left = deciding_keys(a), right = deciding_keys(b);
  std::set<std::string> keys;
  for (const Json* side : {&left, &right}) {
    for (const auto& [key, value] : side->items()) keys.insert(key);
  }
  for (const std::string& key : keys) {
    const Json x = left.value(key, Json()), y = right.value(key, Json());
    if (x == y) continue;
    std::string path = key.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    return fmt::format("{} is {} in {} and {} in {}", path, x.dump(), a.directory.string(),
                       y.dump(), b.directory.string());
  }
  return std::nullopt;
}

std::string common_evaluation(const std::vector<RunRecord>& members) {
  std::vector<std::string> common;
  for (const EvaluationRecord& each : members.front().evaluations) {
    const bool everywhere = std::all_of(members.begin(), members.end(), [&](const RunRecord& run) {
      return run.evaluation(each.name) != nullptr;
    });
    if (everywhere) common.push_back(each.name);
  }
  if (common.size() == 1) return common.front();
  if (common.empty()) {
    throw_error<DataError>(
        "{} and the other runs have no evaluation in common. Run `lacuna eval` on each, with the "
        "same split and part",
        members.front().directory.string());
  }
  throw_error<ConfigError>("the runs have several evaluations in common: {}. Say which: --part",
                           fmt::join(common, ", "));
}

void require_family(const std::vector<RunRecord>& members) {
  std::map<std::string, const RunRecord*> serving;
  for (const RunRecord& run : members) {
    const std::string subset = subset_of(run);
    if (subset.empty()) {
      throw_error<ConfigError>(
          "{}: serves all subsets (method_options.subset is not set), so it belongs to no family",
          run.directory.string());
    }
    if (const auto different = difference(members.front(), run)) {
      throw_error<ConfigError>("the runs are of different families: {}", *different);
    }
    const auto [other, added] = serving.try_emplace(subset, &run);
    if (!added) {
      throw_error<ConfigError>("{} and {} both serve {}. Leave one of them out",
                               other->second->directory.string(), run.directory.string(), subset);
    }
  }
}

RunRecord join(const std::vector<RunRecord>& members) {
  std::set<std::string> names;
  for (const RunRecord& run : members) {
    for (const EvaluationRecord& each : run.evaluations) names.insert(each.name);
  }
  RunRecord family;
  family.directory = members.front().directory;
  family.label = members.front().method;
  family.method = members.front().method;
  family.config = members.front().config;
  family.config["method_options"]["subset"] = nullptr;
  family.provenance = members.front().provenance;
  std::vector<std::string> served;
  for (const RunRecord& run : members) {
    served.push_back(subset_of(run));
    family.last_step = std::max(family.last_step, run.last_step);
    for (const std::string& note : run.notes) {
      family.notes.push_back(fmt::format("{}: {}", served.back(), note));
    }
  }
  family.notes.insert(family.notes.begin(), fmt::format("{} runs, one per subset: {}.",
                                                        members.size(), fmt::join(served, ", ")));
  for (const std::string& name : names) {
    try {
      family.evaluations.push_back(join_evaluations(members, name));
    } catch (const Error& error) {
      family.notes.push_back(fmt::format("{} is not shown: {}", name, error.what()));
    }
  }
  return family;
}

}  // namespace

EvaluationRecord join_evaluations(const std::vector<RunRecord>& members, const std::string& name) {
  if (members.empty()) throw_error<ConfigError>("no run to put together");
  require_family(members);
  const std::string wanted = name.empty() ? common_evaluation(members) : name;
  EvaluationRecord joined;
  Json runs = Json::array();
  for (const RunRecord& run : members) {
    const EvaluationRecord* part = run.evaluation(wanted);
    if (part == nullptr) {
      throw_error<DataError>("{}: has no evaluation {}. Run: lacuna eval {}",
                             run.directory.string(), wanted, run.directory.string());
    }
    runs.push_back({{"subset", subset_of(run)}, {"run", part->about.value("run", Json())}});
    if (joined.scores.empty()) {
      joined = *part;
      continue;
    }
    const std::string why = evaluation::why_not_comparable(joined.identity, part->identity);
    if (!why.empty()) {
      throw_error<ConfigError>("{} and {} were evaluated differently: {}",
                               members.front().directory.string(), run.directory.string(), why);
    }
    for (evaluation::CaseScore score : part->scores) {
      // A partial evaluation may number its modalities otherwise.
      score.subset = joined.modalities.parse(part->modalities.format(score.subset));
      joined.scores.push_back(std::move(score));
    }
  }
  std::vector<data::Region> regions;
  for (const std::string& region : joined.summary.regions) regions.push_back({region, 0});
  joined.summary = evaluation::summarise(joined.scores, joined.modalities, regions,
                                         joined.summary.hd95, joined.summary.further);
  for (const char* of_one : {"run", "checkpoint", "step"}) joined.about.erase(of_one);
  joined.about["runs"] = runs;
  joined.identity = evaluation::identity_of(joined.about, joined.scores);
  return joined;
}

std::vector<RunRecord> join_families(std::vector<RunRecord> runs) {
  std::map<std::string, std::vector<std::size_t>> families;  // by what decides, but the subset
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!subset_of(runs[i]).empty()) families[deciding_keys(runs[i]).dump()].push_back(i);
  }
  std::map<std::size_t, RunRecord> joined;  // by the place of the first member
  std::set<std::size_t> gone;
  std::map<std::string, int> of_method;
  for (const auto& [key, places] : families) ++of_method[runs[places.front()].method];
  for (const auto& [key, places] : families) {
    if (places.size() < 2) continue;
    std::vector<RunRecord> members;
    for (const std::size_t place : places) members.push_back(runs[place]);
    try {
      require_family(members);
    } catch (const Error& error) {
      for (const std::size_t place : places) runs[place].notes.emplace_back(error.what());
      continue;
    }
    RunRecord family = join(members);
    // Several families of a method (seeds, folds) are told apart as their runs were.
    if (of_method[family.method] > 1) family.label = members.front().label;
    joined.emplace(places.front(), std::move(family));
    gone.insert(places.begin() + 1, places.end());
  }
  std::vector<RunRecord> result;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (gone.contains(i)) continue;
    const auto family = joined.find(i);
    result.push_back(family == joined.end() ? std::move(runs[i]) : std::move(family->second));
  }
  return result;
}

}  // namespace lacuna::monitoring

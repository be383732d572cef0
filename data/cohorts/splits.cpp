#include "data/cohorts/splits.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/random.h"
#include "base/text/json.h"

namespace lacuna::data {
namespace {

using Ids = std::vector<std::string>;
using Strata = std::map<std::string, Ids>;
using CaseIndex = std::map<std::string, const CaseInfo*>;

// Low grade first: the published meta-validation list has three of these and two of the others.
std::string grade_key(const CaseInfo& info) {
  return info.grade == "LGG" ? "0" : info.grade.empty() ? "2" : "1";
}

std::string stratum_key(const CaseInfo& info) { return grade_key(info) + "/" + info.institution; }

template <typename Key>
Strata stratify(const Ids& ids, const CaseIndex& index, Key key) {
  Strata strata;
  for (const std::string& id : ids) strata[key(*index.at(id))].push_back(id);
  return strata;
}

// Takes `count` ids, one per stratum in turn, off the back of each stratum.
Ids take_in_turn(Strata& strata, std::size_t count) {
  Ids taken;
  while (taken.size() < count) {
    const std::size_t before = taken.size();
    for (auto& [key, ids] : strata) {
      if (ids.empty() || taken.size() == count) continue;
      taken.push_back(ids.back());
      ids.pop_back();
    }
    if (taken.size() == before) break;
  }
  return taken;
}

// `ids` are grouped by stratum, so even steps take from each in proportion to its size.
Ids evenly_spaced(const Ids& ids, std::size_t count) {
  Ids taken;
  for (std::size_t i = 0; i < count; ++i)
    taken.push_back(ids[(2 * i + 1) * ids.size() / (2 * count)]);
  return taken;
}

Ids without(const Ids& ids, const Ids& removed) {
  const std::set<std::string> gone(removed.begin(), removed.end());
  Ids left;
  for (const std::string& id : ids) {
    if (gone.count(id) == 0) left.push_back(id);
  }
  return left;
}

Ids sorted(Ids ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

// Moves a few cases from train to meta.
void set_aside_meta(std::map<std::string, Ids>& parts, const CaseIndex& index) {
  Strata by_grade = stratify(parts["train"], index, grade_key);
  const Ids meta = take_in_turn(by_grade, meta_cases(parts["train"].size()));
  parts["train"] = sorted(without(parts["train"], meta));
  parts["meta"] = sorted(meta);
}

// Labelled ids in a random order that is fixed by the seed, grouped by stratum.
Ids deal_order(const std::vector<CaseInfo>& cases, const CaseIndex& index, std::uint64_t seed) {
  Ids ids;
  for (const CaseInfo& info : cases) {
    if (info.has_label) ids.push_back(info.id);
  }
  Ids order;
  std::uint64_t number = 0;
  for (auto& [key, members] : stratify(ids, index, stratum_key)) {
    std::sort(members.begin(), members.end());
    Stream stream(seed, Purpose::kSplit, number++);
    stream.shuffle(std::span<std::string>(members));
    order.insert(order.end(), members.begin(), members.end());
  }
  return order;
}

CaseIndex index_of(const std::vector<CaseInfo>& cases) {
  CaseIndex index;
  for (const CaseInfo& info : cases) index[info.id] = &info;
  return index;
}

Ids read_list(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file)
    throw_error<ConfigError>("{}: cannot be opened. Check the splits file.", path.string());
  Ids ids;
  for (std::string line; std::getline(file, line);) {
    const std::size_t end = line.find_last_not_of(" \t\r/,");
    if (end == std::string::npos) continue;
    line.resize(end + 1);
    ids.push_back(line.substr(line.find_last_of('/') + 1));
  }
  return ids;
}

void check_ids(const std::map<std::string, Ids>& parts, const CaseIndex& index,
               const std::string& where) {
  Ids unknown, unlabelled, repeated;
  std::set<std::string> seen;
  for (const auto& [part, ids] : parts) {
    for (const std::string& id : ids) {
      const auto found = index.find(id);
      if (found == index.end()) {
        unknown.push_back(id);
      } else if (part != "test" && !found->second->has_label) {
        unlabelled.push_back(id);
      }
      if (!seen.insert(id).second) repeated.push_back(id);
    }
  }
  const auto refuse = [&](const Ids& ids, const char* what) {
    if (!ids.empty()) {
      throw_error<ConfigError>("{}: {}: {}. Correct the list.", where, what, fmt::join(ids, ", "));
    }
  };
  refuse(unknown, "cases that the cohort does not have (not in --in, or refused)");
  refuse(repeated, "cases that are named twice");
  refuse(unlabelled, "cases without a label cannot be in train, validation or meta");
}

}  // namespace

std::size_t meta_cases(std::size_t training) {
  if (training < 5) return 0;
  return std::clamp<std::size_t>(training / 10, 1, 5);
}

Splits make_splits(const std::vector<CaseInfo>& cases, const SplitOptions& options) {
  if (options.folds < 2) throw_error<ConfigError>("--folds {}: at least 2 folds", options.folds);
  const CaseIndex index = index_of(cases);
  const Ids order = deal_order(cases, index, options.seed);
  Splits splits;
  splits["all"]["train"] = order;
  set_aside_meta(splits["all"], index);
  const std::size_t folds = std::min(order.size(), static_cast<std::size_t>(options.folds));
  if (folds < 2) return splits;
  for (std::size_t k = 0; k < folds; ++k) {
    auto& parts = splits["fold" + std::to_string(k)];
    Ids rest;
    for (std::size_t i = 0; i < order.size(); ++i) {
      (i % folds == k ? parts["test"] : rest).push_back(order[i]);
    }
    // At least one case for validation as soon as two are left for training.
    const std::size_t wanted = std::max<std::size_t>(order.size() / 10, rest.size() >= 3 ? 1 : 0);
    parts["validation"] = sorted(evenly_spaced(rest, wanted));
    parts["train"] = without(rest, parts["validation"]);
    set_aside_meta(parts, index);
    parts["test"] = sorted(parts["test"]);
  }
  return splits;
}

Splits read_splits(const std::filesystem::path& path, const std::vector<CaseInfo>& cases) {
  const Json json = read_json(path);
  const CaseIndex index = index_of(cases);
  Splits splits;
  const auto refuse = [&](const std::string& where) {
    throw_error<ConfigError>(
        "{}: {} must be an object of parts (train, validation, test, meta), each a list of case "
        "ids or the name of a text file.",
        path.string(), where);
  };
  if (!json.is_object()) refuse("the file");
  for (const auto& [split, parts] : json.items()) {
    if (!parts.is_object()) refuse("split " + split);
    for (const auto& [part, value] : parts.items()) {
      const bool known =
          part == "train" || part == "validation" || part == "test" || part == "meta";
      const bool list =
          value.is_array() &&
          std::all_of(value.begin(), value.end(), [](const Json& id) { return id.is_string(); });
      if (!known || (!list && !value.is_string())) refuse("split " + split + ", part " + part);
      splits[split][part] = list ? value.get<Ids>() : read_list(path.parent_path() / value);
    }
    check_ids(splits[split], index, fmt::format("{}: split {}", path.string(), split));
    if (splits[split].count("meta") == 0) set_aside_meta(splits[split], index);
    for (auto& [part, ids] : splits[split]) ids = sorted(ids);
  }
  return splits;
}

}  // namespace lacuna::data

#include "experiments/sweep_definition.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/json_path.h"
#include "base/text/options.h"

namespace lacuna::experiments {
namespace {

Option any(const char* path) {
  Option option;
  option.path = path;
  option.fallback = "null";
  return option;
}

// Keys that a group has, and the file itself for all its groups.
std::vector<Option> group_keys() {
  std::vector<Option> keys;
  for (const char* path : {"base", "grid", "zip", "runs", "exclude", "overrides"}) {
    keys.push_back(any(path));
  }
  for (Option option : resource_options()) {
    option.path = "resources." + option.path;
    keys.push_back(std::move(option));
  }
  return keys;
}

Schema file_schema() {
  std::vector<Option> keys = group_keys();
  keys.push_back({.path = "name", .type = Option::Type::kString, .fallback = "\"\""});
  keys.push_back({.path = "max_runs",
                  .type = Option::Type::kInteger,
                  .fallback = "10000",
                  .meaning = "More runs than this are taken for a mistake.",
                  .minimum = 1,
                  .maximum = 1e6});
  keys.push_back({.path = "evaluate.part",
                  .type = Option::Type::kString,
                  .fallback = "\"test\"",
                  .meaning = "Part of the run's split that is evaluated."});
  keys.push_back({.path = "evaluate.hd95",
                  .type = Option::Type::kString,
                  .fallback = "\"directed\"",
                  .meaning = "Definition of HD95; none: Dice only.",
                  .allowed = {"directed", "pooled", "none"}});
  for (Option option : resource_options()) {
    const std::string path = option.path;
    if (path == "nodes" || path == "ranks" || path == "throttle" || path == "max_requeues" ||
        path == "signal_seconds" || path == "staging" || path == "launcher") {
      continue;  // of runs
    }
    option.path = "report." + path;
    keys.push_back(std::move(option));
  }
  keys.push_back(any("groups"));
  return Schema(std::move(keys));
}

Schema group_schema() {
  std::vector<Option> keys = group_keys();
  keys.push_back({.path = "after",
                  .type = Option::Type::kStrings,
                  .fallback = "[]",
                  .meaning = "Groups whose runs must be done first."});
  return Schema(std::move(keys));
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 60 &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string::npos;
}

void require_plain_name(const std::string& name, const std::string& where) {
  if (is_plain_name(name)) return;
  throw_error<ConfigError>(
      "{}: the name {} may have letters, digits, `.`, `_` and `-` only, at most 60: it becomes "
      "part "
      "of names of jobs and files",
      where, Json(name).dump());
}

std::string name_from(const std::filesystem::path& file) {
  std::string name = file.stem().string().substr(0, 60);
  for (char& c : name) {
    if (!is_plain_name(std::string(1, c))) c = '-';
  }
  return name.empty() ? "sweep" : name;
}

// Short forms written out, and paths that no longer depend on the current directory.
void put_flat(Json& flat, std::string key, const Json& value) {
  if (key == "data" && value.is_string()) key = "data.cache";
  const bool is_path = key == "data.cache" || key == "init.weights";
  if (is_path && value.is_string() && !value.get<std::string>().empty()) {
    flat[key] = std::filesystem::absolute(value.get<std::string>()).lexically_normal().string();
    return;
  }
  if (!value.is_object()) {
    flat[key] = value;
    return;
  }
  for (const auto& [name, item] : value.items()) put_flat(flat, key + "." + name, item);
}

const Json& require_object(const Json& value, const std::string& where) {
  if (value.is_object() && !value.empty()) return value;
  throw_error<ConfigError>("{} is {}, expected an object of keys and values", where, value.dump());
}

const Json& require_list(const Json& value, const std::string& where) {
  if (value.is_array() && !value.empty()) return value;
  throw_error<ConfigError>("{} is {}, expected a list with at least one entry", where,
                           value.dump());
}

Json flat_object(const Json& value, const std::string& where) {
  return flatten(require_object(value, where));
}

std::vector<Axis> read_axes(const Json& section, const std::string& where) {
  std::vector<Axis> axes;
  for (const auto& [key, values] : require_object(section, where).items()) {
    const std::string path = fmt::format("{}.{}", where, key);
    axes.push_back({key, require_list(values, path).get<std::vector<Json>>()});
    std::set<Json> seen;
    for (const Json& value : values) {
      if (seen.insert(value).second) continue;
      throw_error<ConfigError>("{}: {} is there twice", path, value.dump());
    }
  }
  return axes;
}

// What a group says takes the place of what the file says for all of them.
void replace_axes(std::vector<Axis>& axes, std::vector<Axis> with) {
  for (Axis& axis : with) {
    const auto there = std::find_if(axes.begin(), axes.end(),
                                    [&](const Axis& each) { return each.key == axis.key; });
    if (there == axes.end()) {
      axes.push_back(std::move(axis));
    } else {
      *there = std::move(axis);
    }
  }
}

void check_axes(const SweepGroup& group, const std::string& where) {
  for (const Axis& axis : group.zip) {
    if (axis.values.size() != group.zip.front().values.size()) {
      throw_error<ConfigError>(
          "{}: zip.{} has {} values, zip.{} has {}: the axes of zip go side by side, so each needs "
          "as many",
          where, axis.key, axis.values.size(), group.zip.front().key,
          group.zip.front().values.size());
    }
    for (const Axis& other : group.grid) {
      if (other.key == axis.key) {
        throw_error<ConfigError>("{}: {} is in grid and in zip. Leave it in one", where, axis.key);
      }
    }
  }
}

OverrideRule read_override(const Json& rule, const std::string& where) {
  static const Schema schema({any("when"), any("set"), any("resources")});
  const Json all = schema.resolve(rule, where);
  OverrideRule read;
  read.when = flat_object(all.at("when"), where + ".when");
  read.set = all.at("set").is_null() ? Json::object() : flat_object(all.at("set"), where + ".set");
  if (all.at("resources").is_null()) {
    read.resources = Json::object();
  } else {
    read.resources = require_object(all.at("resources"), where + ".resources");
  }
  read_resources(read.resources, where + ".resources");
  return read;
}

Json read_base(const Json& base, const std::filesystem::path& folder, const std::string& where) {
  if (base.is_null()) return Json::object();
  if (base.is_string()) {
    const std::filesystem::path file = folder / base.get<std::string>();
    const Json read = read_json(file);
    if (!read.is_object()) {
      throw_error<ConfigError>("{}: expected a run, a JSON object", file.string());
    }
    return flatten(read);
  }
  if (!base.is_object()) {
    throw_error<ConfigError>("{}.base is {}, expected a run or the name of a run file", where,
                             base.dump());
  }
  return flatten(base);
}

// Adds what `section` (the file or one of its groups) says to what is known already.
void read_into(SweepGroup& group, const Json& section, const std::filesystem::path& folder,
               const std::string& where) {
  const auto part = [&](const char* key) -> const Json& {
    static const Json none;
    return section.contains(key) ? section.at(key) : none;
  };
  const Json base = read_base(part("base"), folder, where);
  for (const auto& [key, value] : base.items()) set_value(group.base, key, value);
  if (!part("grid").is_null()) {
    replace_axes(group.grid, read_axes(part("grid"), where + ": grid"));
  }
  if (!part("zip").is_null()) replace_axes(group.zip, read_axes(part("zip"), where + ": zip"));
  const auto each = [&](const char* key, const auto& use) {
    if (part(key).is_null()) return;
    const std::string path = fmt::format("{}: {}", where, key);
    std::size_t i = 0;
    for (const Json& entry : require_list(part(key), path)) {
      use(entry, fmt::format("{}[{}]", path, i++));
    }
  };
  each("runs", [&](const Json& entry, const std::string& path) {
    group.runs.push_back(flat_object(entry, path));
  });
  each("exclude", [&](const Json& entry, const std::string& path) {
    group.exclude.push_back(flat_object(entry, path));
  });
  each("overrides", [&](const Json& entry, const std::string& path) {
    group.overrides.push_back(read_override(entry, path));
  });
  if (part("resources").is_object()) group.resources.update(part("resources"));
}

// Each after those that it waits for, else in the order of the names.
std::vector<SweepGroup> ordered(std::vector<SweepGroup> groups, const std::string& file) {
  std::vector<std::string> names;
  for (const SweepGroup& group : groups) names.push_back(group.name);
  for (const SweepGroup& group : groups) {
    for (const std::string& before : group.after) {
      if (std::find(names.begin(), names.end(), before) != names.end()) continue;
      throw_error<ConfigError>("{}: groups.{}.after: there is no group {}. Groups: {}", file,
                               group.name, Json(before).dump(), fmt::join(names, ", "));
    }
  }
  std::vector<SweepGroup> result;
  std::set<std::string> placed;
  while (!groups.empty()) {
    const auto next = std::find_if(groups.begin(), groups.end(), [&](const SweepGroup& group) {
      return std::all_of(group.after.begin(), group.after.end(),
                         [&](const std::string& name) { return placed.contains(name); });
    });
    if (next == groups.end()) {
      names.clear();
      for (const SweepGroup& group : groups) names.push_back(group.name);
      throw_error<ConfigError>("{}: groups {} wait for one another. Break the circle of `after`",
                               file, fmt::join(names, ", "));
    }
    placed.insert(next->name);
    result.push_back(std::move(*next));
    groups.erase(next);
  }
  return result;
}

std::vector<SweepGroup> read_groups(const Json& groups, const SweepGroup& shared,
                                    const std::filesystem::path& folder, const std::string& file) {
  static const Schema schema = group_schema();
  std::vector<SweepGroup> result;
  for (const auto& [name, section] : require_object(groups, file + ": groups").items()) {
    const std::string where = fmt::format("{}: groups.{}", file, name);
    require_plain_name(name, where);
    const Json checked = schema.resolve(section, where);
    SweepGroup group = shared;
    group.name = name;
    group.after = checked.at("after").get<std::vector<std::string>>();
    read_into(group, section, folder, where);
    check_axes(group, where);
    result.push_back(std::move(group));
  }
  return ordered(std::move(result), file);
}

}  // namespace

Json flatten(const Json& object) {
  Json flat = Json::object();
  for (const auto& [key, value] : object.items()) put_flat(flat, key, value);
  return flat;
}

SweepDefinition parse_definition(const Json& text, const std::filesystem::path& file,
                                 const std::vector<std::string>& settings) {
  static const Schema schema = file_schema();
  SweepDefinition definition;
  definition.file = file.string();
  const Json checked = schema.resolve(text, definition.file);
  definition.name = checked.at("name");
  if (definition.name.empty()) definition.name = name_from(file);
  require_plain_name(definition.name, definition.file + ": name");
  definition.max_runs = static_cast<std::int64_t>(checked.at("max_runs").get<double>());
  definition.evaluate.part = checked.at("evaluate").at("part");
  definition.evaluate.hd95 = checked.at("evaluate").at("hd95");
  definition.report = text.value("report", Json::object());

  SweepGroup shared;
  shared.name = "runs";
  shared.base = shared.resources = Json::object();
  read_into(shared, text, file.parent_path(), definition.file);
  Json changes = Json::object();
  for (const std::string& setting : settings) set_path(changes, setting);
  changes = flatten(changes);
  for (const auto& [key, value] : changes.items()) set_value(shared.base, key, value);
  if (!shared.base.contains("data") || !shared.base["data"].is_object()) {
    shared.base["data"] = Json::object();
  }

  definition.source = text;
  definition.source["name"] = definition.name;
  definition.source["base"] = shared.base;
  if (checked.at("groups").is_null()) {
    check_axes(shared, definition.file);
    definition.groups = {std::move(shared)};
    return definition;
  }
  if (!shared.runs.empty()) {
    throw_error<ConfigError>("{}: runs beside groups belong to no group. Move them into one",
                             definition.file);
  }
  definition.groups =
      read_groups(checked.at("groups"), shared, file.parent_path(), definition.file);
  return definition;
}

SweepDefinition read_definition(const std::filesystem::path& file,
                                const std::vector<std::string>& settings) {
  return parse_definition(read_json(file), file, settings);
}

}  // namespace lacuna::experiments

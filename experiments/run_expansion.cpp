#include "experiments/run_expansion.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text/json_path.h"
#include "base/text/options.h"

namespace lacuna::experiments {
namespace {

constexpr std::size_t kMostCombinations = 1'000'000;

// A choice of values, one per axis; `shown` is what its label says.
struct Choice {
  Json set = Json::object();
  std::vector<std::string> shown;
};

bool is_readable(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 32 && c < 127; });
}

std::string shown(const std::string& key, const Json& value) {
  if (value.is_object()) {
    std::string text;
    for (const auto& [name, item] : value.items()) {
      text += (text.empty() ? "" : " ") + shown(name, item);
    }
    return text;
  }
  if (value.is_string() && is_readable(value.get<std::string>())) return value;
  return key.substr(key.rfind('.') + 1) + "=" + value.dump();
}

void choose(Choice& choice, const Axis& axis, std::size_t index) {
  const Json& value = axis.values[index];
  const Json flat = flatten({{axis.key, value}});
  for (const auto& [key, item] : flat.items()) choice.set[key] = item;
  if (axis.values.size() > 1 && axis.key != "method") {
    choice.shown.push_back(shown(axis.key, value));
  }
}

std::vector<Choice> combinations(const SweepGroup& group, const std::string& file) {
  const std::size_t zipped = group.zip.empty() ? 1 : group.zip.front().values.size();
  std::size_t count = zipped;
  for (const Axis& axis : group.grid) {
    count *= axis.values.size();
    if (count > kMostCombinations) {
      throw_error<ConfigError>("{}: grid of {} has more than {} combinations. Split the sweep.",
                               file, group.name, kMostCombinations);
    }
  }
  const bool explicit_only = group.grid.empty() && group.zip.empty() && !group.runs.empty();
  if (explicit_only) return {};
  std::vector<Choice> choices(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i;
    std::vector<std::size_t> index(group.grid.size());
    for (const Axis& axis : group.zip) choose(choices[i], axis, rest % zipped);
    rest /= zipped;
    for (std::size_t a = group.grid.size(); a-- > 0;) {  // the last key is the fastest
      index[a] = rest % group.grid[a].values.size();
      rest /= group.grid[a].values.size();
    }
    for (std::size_t a = 0; a < group.grid.size(); ++a) choose(choices[i], group.grid[a], index[a]);
  }
  return choices;
}

bool matches(const Json& run, const Json& rule) {
  for (const auto& [key, value] : rule.items()) {
    const Json* there = find_path(run, key);
    if (!there || *there != value) return false;
  }
  return true;
}

Json with(const Json& base, const Json& set) {
  Json run = base;
  for (const auto& [key, value] : set.items()) set_value(run, key, value);
  return run;
}

std::string label_of(const Json& run, const std::vector<std::string>& shown) {
  const Json* method = find_path(run, "method");
  std::string label = method && method->is_string() ? method->get<std::string>() : "";
  for (const std::string& part : shown) label += (label.empty() ? "" : " ") + part;
  return label;
}

}  // namespace

void RuleUse::declare(const std::string& where, const Json& rule) {
  const std::string text = rule.dump();
  const bool known = std::any_of(rules_.begin(), rules_.end(),
                                 [&](const Rule& each) { return each.text == text; });
  if (!known) rules_.push_back({where, text});
}

void RuleUse::used(const Json& rule) {
  const std::string text = rule.dump();
  for (Rule& each : rules_) each.used |= each.text == text;
}

void RuleUse::require_all(const std::string& file) const {
  for (const Rule& rule : rules_) {
    if (rule.used) continue;
    throw_error<ConfigError>(
        "{}: {} {} matches no run. Check its keys and values: they are compared with what base, "
        "axes and runs say, not with defaults",
        file, rule.where, rule.text);
  }
}

std::vector<RunDraft> expand(const SweepGroup& group, const std::string& file, RuleUse& rules) {
  std::vector<Choice> choices = combinations(group, file);
  for (const Json& entry : group.runs) {
    Choice choice;
    choice.set = entry;
    for (const auto& [key, value] : entry.items()) {
      if (key != "method") choice.shown.push_back(shown(key, value));
    }
    choices.push_back(std::move(choice));
  }
  std::vector<bool> excluding(group.exclude.size()), overriding(group.overrides.size());
  std::vector<RunDraft> drafts;
  drafts.reserve(choices.size());
  for (Choice& choice : choices) {
    RunDraft draft;
    draft.run = with(group.base, choice.set);
    bool excluded = false;
    for (std::size_t i = 0; i < group.exclude.size(); ++i) {
      if (!matches(draft.run, group.exclude[i])) continue;
      excluded = excluding[i] = true;
    }
    if (excluded) continue;
    draft.resources = group.resources;
    Json overrides = Json::object();
    for (std::size_t i = 0; i < group.overrides.size(); ++i) {
      const OverrideRule& rule = group.overrides[i];
      if (!matches(draft.run, rule.when)) continue;
      overriding[i] = true;
      for (const auto& [key, value] : rule.set.items()) overrides[key] = value;
      draft.resources.update(rule.resources);
    }
    draft.label = label_of(draft.run, choice.shown);
    draft.axes = choice.set;
    for (const auto& [key, value] : overrides.items()) {
      choice.set[key] = value;
      set_value(draft.run, key, value);
    }
    draft.set = std::move(choice.set);
    drafts.push_back(std::move(draft));
  }
  for (std::size_t i = 0; i < excluding.size(); ++i) {
    rules.declare("exclude", group.exclude[i]);
    if (excluding[i]) rules.used(group.exclude[i]);
  }
  for (std::size_t i = 0; i < overriding.size(); ++i) {
    rules.declare("overrides", group.overrides[i].when);
    if (overriding[i]) rules.used(group.overrides[i].when);
  }
  return drafts;
}

}  // namespace lacuna::experiments

#include "base/text/options.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text/json_path.h"
#include "base/text/parse_json.h"
#include "base/text/utf8.h"

namespace lacuna {
namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
    parts.push_back(path.substr(begin, dot - begin));
  }
  parts.push_back(path.substr(begin));
  return parts;
}

Json& make_path(Json& object, const std::string& path) {
  Json* node = &object;
  for (const std::string& part : split_path(path)) {
    if (!node->is_object()) *node = Json::object();
    node = &(*node)[part];
  }
  return *node;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replace});
    }
  }
  return row.back();
}

const char* type_name(Option::Type type) {
  switch (type) {
    case Option::Type::kBool:
      return "true or false";
    case Option::Type::kInteger:
      return "a whole number";
    case Option::Type::kNumber:
      return "a number";
    case Option::Type::kString:
      return "a string";
    case Option::Type::kIntegers:
      return "a list of whole numbers";
    case Option::Type::kStrings:
      return "a list of strings";
    case Option::Type::kAny:
      return "any JSON value";
  }
  return "";
}

bool has_type(const Json& value, Option::Type type) {
  const auto all = [&](auto check) {
    return value.is_array() && std::all_of(value.begin(), value.end(), check);
  };
  const auto whole = [](const Json& item) {
    return item.is_number_integer() ||
           (item.is_number_float() &&
            item.get<double>() ==
                static_cast<double>(static_cast<std::int64_t>(item.get<double>())));
  };
  switch (type) {
    case Option::Type::kBool:
      return value.is_boolean();
    case Option::Type::kInteger:
      return whole(value);
    case Option::Type::kNumber:
      return value.is_number();
    case Option::Type::kString:
      return value.is_string();
    case Option::Type::kIntegers:
      return all(whole);
    case Option::Type::kStrings:
      return all([](const Json& item) { return item.is_string(); });
    case Option::Type::kAny:
      return true;
  }
  return false;
}

void check_value(const Json& value, const Option& option, const std::string& where) {
  if (value.is_null() && (option.nullable || option.type == Option::Type::kAny)) return;
  if (!has_type(value, option.type)) {
    throw_error<ConfigError>("{}: {} is {}, expected {}{}. Meaning: {}", where, option.path,
                             value.dump(), type_name(option.type),
                             option.nullable ? " or null" : "", option.meaning);
  }
  const auto check_number = [&](const Json& item) {
    const double number = item.get<double>();
    if (number < option.minimum || number > option.maximum) {
      const std::string limits = option.maximum >= 1e300
                                     ? fmt::format("at least {}", option.minimum)
                                     : fmt::format("{} to {}", option.minimum, option.maximum);
      throw_error<ConfigError>("{}: {} is {}, allowed: {}{}{}. Meaning: {}", where, option.path,
                               item.dump(), limits, option.unit.empty() ? "" : " ", option.unit,
                               option.meaning);
    }
  };
  if (value.is_number()) check_number(value);
  if (option.type == Option::Type::kIntegers) {
    for (const Json& item : value) check_number(item);
  }
  if (option.type == Option::Type::kString && !option.allowed.empty()) {
    const auto text = value.get<std::string>();
    if (std::find(option.allowed.begin(), option.allowed.end(), text) == option.allowed.end()) {
      const std::string near = nearest(text, option.allowed);
      throw_error<ConfigError>("{}: {} is \"{}\", allowed: {}{}", where, option.path, text,
                               fmt::join(option.allowed, ", "),
                               near.empty() ? "" : fmt::format(". Did you mean \"{}\"?", near));
    }
  }
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 2) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Option added_later(Option option) {
  option.absent = option.fallback;
  return option;
}

Schema::Schema(std::vector<Option> options) : options_(std::move(options)) {
  for (const Option& option : options_) {
    if (option.absent) absent_[option.path] = Json::parse(*option.absent);
  }
}

void Schema::complete(Json& saved) const {
  for (const auto& [path, value] : absent_) {
    if (!find_path(saved, path)) make_path(saved, path) = value;
  }
}

bool Schema::is_absent(const std::string& path, const Json& value) const {
  const auto found = absent_.find(path);
  return found != absent_.end() && found->second == value;
}

Json Schema::resolve(const Json& user, const std::string& where) const {
  if (!user.is_object()) {
    throw_error<ConfigError>("{}: expected a JSON object with keys, found {}", where,
                             user.type_name());
  }
  Json resolved = Json::object();
  for (const Option& option : options_) {
    make_path(resolved, option.path) = Json::parse(option.fallback);
  }
  // Walks what the user wrote: a known path is a value, a prefix of one is a section.
  const auto visit = [&](const auto& self, const Json& node, const std::string& prefix) -> void {
    for (const auto& [key, value] : node.items()) {
      const std::string path = prefix.empty() ? key : prefix + "." + key;
      const auto option = std::find_if(options_.begin(), options_.end(),
                                       [&](const Option& each) { return each.path == path; });
      if (option != options_.end()) {
        check_value(value, *option, where);
        make_path(resolved, path) = value;
        continue;
      }
      const bool section = std::any_of(options_.begin(), options_.end(), [&](const Option& each) {
        return each.path.starts_with(path + ".");
      });
      if (section && value.is_object()) {
        self(self, value, path);
      } else if (section) {
        throw_error<ConfigError>("{}: {} is a section and needs an object, found {}", where, path,
                                 value.dump());
      } else {
        std::vector<std::string> known;
        for (const Option& each : options_) known.push_back(each.path);
        const std::string near = nearest(path, known);
        throw_error<ConfigError>("{}: unknown key {}{}", where, path,
                                 near.empty()
                                     ? fmt::format(". Known keys: {}", fmt::join(known, ", "))
                                     : fmt::format(". Did you mean {}?", near));
      }
    }
  };
  visit(visit, user, "");
  return resolved;
}

void set_path(Json& object, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw_error<ConfigError>("--set {}: expected key=value, for example --set train.batch=4",
                             assignment);
  }
  const std::string text = assignment.substr(equals + 1);
  if (!is_utf8(assignment)) {
    throw_error<ConfigError>(
        "--set {}: not UTF-8, which the files of a run are written in. Rename the file or "
        "directory, or make a link to it that has a plain name.",
        assignment);
  }
  Json value = parse_json_line(text);
  make_path(object, assignment.substr(0, equals)) =
      value.is_discarded() ? Json(text) : std::move(value);
}

void set_value(Json& object, const std::string& path, Json value) {
  make_path(object, path) = std::move(value);
}

const Json* find_path(const Json& object, const std::string& path) {
  const Json* node = &object;
  for (const std::string& part : split_path(path)) {
    if (!node->is_object() || !node->contains(part)) return nullptr;
    node = &(*node)[part];
  }
  return node;
}

}  // namespace lacuna

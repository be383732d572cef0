#include "data/cohorts/profile_keys.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"

namespace lacuna::data {

void ProfileKeys::refuse(const std::string& key, const std::string& what) const {
  throw_error<ConfigError>("{}: {} {}.", where_, key.empty() ? "the file" : "\"" + key + "\"",
                           what);
}

void ProfileKeys::check_keys(const OrderedJson& object, const std::vector<std::string>& known,
                             const std::string& inside) const {
  if (!object.is_object()) refuse(inside, "must be an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest(key, known);
    refuse(inside.empty() ? key : inside + "." + key,
           "is not a key of a profile" +
               (near.empty() ? "; known here: " + fmt::format("{}", fmt::join(known, ", "))
                             : ". Did you mean \"" + near + "\"?"));
  }
}

std::string ProfileKeys::as_text(const OrderedJson& value, const std::string& key) const {
  if (!value.is_string()) refuse(key, "must be a text");
  return value.get<std::string>();
}

std::string ProfileKeys::text(const std::string& key) const {
  if (!json_.contains(key)) refuse(key, "is missing");
  return as_text(json_[key], key);
}

std::string ProfileKeys::text_or(const std::string& key, const std::string& otherwise) const {
  return json_.contains(key) ? as_text(json_[key], key) : otherwise;
}

std::string ProfileKeys::text_in(const OrderedJson& object, const std::string& key,
                                 const std::string& inside, const std::string& otherwise) const {
  return object.contains(key) ? as_text(object[key], inside + "." + key) : otherwise;
}

bool ProfileKeys::flag_or(const std::string& key, bool otherwise) const {
  if (!json_.contains(key)) return otherwise;
  if (!json_[key].is_boolean()) refuse(key, "must be true or false");
  return json_[key].get<bool>();
}

std::vector<std::string> ProfileKeys::texts_or(const OrderedJson& object,
                                               const std::string& key) const {
  std::vector<std::string> list;
  if (!object.contains(key)) return list;
  if (!object[key].is_array()) refuse(key, "must be a list of texts");
  for (const OrderedJson& item : object[key]) list.push_back(as_text(item, key));
  return list;
}

std::regex ProfileKeys::expression(const std::string& text, const std::string& key) const {
  try {
    return std::regex(text);
  } catch (const std::regex_error& error) {
    refuse(key, "is no regular expression: \"" + text + "\": " + error.what());
  }
}

}  // namespace lacuna::data

#include "data/cohorts/profile_file.h"

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/parse_json.h"
#include "data/cohorts/profile_parser.h"
#include "data/cohorts/shipped_profiles.h"

namespace lacuna::data {
namespace {

std::string read_text_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) {
    throw_error<ConfigError>("{}: there is no such profile file. Check --profile.", path.string());
  }
  const auto bytes = posix_file_system().read(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string shipped_text(const std::string& name) {
  for (const std::string_view text : shipped_profiles()) {
    if (profile_name_in(text) == name) return std::string(text);
  }
  return "";
}

}  // namespace

std::string profile_name_in(std::string_view text) {
  const OrderedJson json = parse_ordered_json(text, "a shipped profile");
  return json.is_object() && json.contains("name") && json["name"].is_string()
             ? json["name"].get<std::string>()
             : "";
}

Profile parse_profile(std::string_view text, const std::string& where, const ProfileTexts& texts) {
  OrderedJson json = parse_ordered_json(text, where);
  if (!json.is_object()) {
    throw_error<ConfigError>("{}: not an object of format lacuna-profile.", where);
  }
  if (json.contains("extends")) {
    const std::string name = json["extends"].is_string() ? json["extends"].get<std::string>() : "";
    const std::string base = texts(name);
    if (base.empty()) {
      throw_error<ConfigError>("{}: \"extends\" names {}, which is not a shipped profile.", where,
                               json["extends"].dump());
    }
    OrderedJson merged = parse_ordered_json(base, "profile " + name);
    if (merged.contains("extends")) {
      throw_error<ConfigError>(
          "{}: \"extends\" names {}, which itself extends another: one level "
          "only.",
          where, name);
    }
    for (const char* own : {"aliases", "hint", "phantom"}) merged.erase(own);
    for (const auto& [key, value] : json.items()) merged[key] = value;
    json = std::move(merged);
  }
  return parse_profile_json(json, where);
}

Profile read_profile(const std::filesystem::path& path) {
  const std::string text = read_text_file(path);
  Profile profile = parse_profile(text, path.string(), shipped_text);
  const std::string shipped = shipped_text(profile.name);
  if (!shipped.empty() && parse_ordered_json(shipped, "") != parse_ordered_json(text, "")) {
    throw_error<ConfigError>(
        "{}: \"name\" is {}, which is the name of a shipped profile of other content. Choose "
        "another one: caches and messages tell profiles apart by it.",
        path.string(), profile.name);
  }
  return profile;
}

std::string profile_text(const std::string& name) {
  const std::string shipped = shipped_text(find_profile(name).name);
  return shipped.empty() ? read_text_file(name) : shipped;
}

}  // namespace lacuna::data

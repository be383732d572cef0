#include "data/cohorts/profile.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"
#include "data/cohorts/profile_file.h"
#include "data/cohorts/shipped_profiles.h"

namespace lacuna::data {
namespace {

std::vector<Profile> parse_shipped() {
  // A profile that extends another comes after it, whatever the order of the files.
  std::map<std::string, std::string_view> texts;
  for (const std::string_view text : shipped_profiles()) texts[profile_name_in(text)] = text;
  std::vector<Profile> profiles;
  for (const auto& [name, text] : texts) {
    profiles.push_back(parse_profile(text, "profile " + name, [&](const std::string& base) {
      const auto found = texts.find(base);
      return found == texts.end() ? std::string() : std::string(found->second);
    }));
  }
  return profiles;
}

// "HG", "LG" as well as the names of folders.
std::string full_grade(const std::string& grade) {
  return grade == "HG" || grade == "LG" ? grade + "G" : grade;
}

const Profile& profile_from_file(const std::filesystem::path& path) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Profile>> read;
  const std::lock_guard lock(mutex);
  auto& profile = read[path.string()];
  if (!profile) profile = std::make_unique<Profile>(read_profile(path));
  return *profile;
}

}  // namespace

const std::vector<Profile>& all_profiles() {
  static const std::vector<Profile> profiles = parse_shipped();
  return profiles;
}

const Profile& find_profile(const std::string& name) {
  if (name.ends_with(".json") || name.find('/') != std::string::npos) {
    return profile_from_file(name);
  }
  std::vector<std::string> names;
  for (const Profile& profile : all_profiles()) {
    if (profile.name == name) return profile;
    names.push_back(profile.name);
  }
  for (const Profile& profile : all_profiles()) {
    const auto& aliases = profile.aliases;
    if (std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return profile;
  }
  const std::string near = nearest(name, names);
  throw_error<ConfigError>(
      "unknown profile \"{}\"; known: {}{}. An own one is a file: --profile my.json", name,
      fmt::join(names, ", "), near.empty() ? "" : fmt::format(". Did you mean {}?", near));
}

std::string Profile::image_file(const std::string& id, int modality) const {
  const auto m = static_cast<std::size_t>(modality);
  const std::string& written = images.at(m).front().match;
  return without_stars(fill_in(written, {{"id", id}, {"patient", id}, {"visit", ""}})) +
         writing.extension;
}

std::string Profile::segmentation_file(const std::string& id) const {
  if (label.empty()) return "";
  return without_stars(fill_in(label.front().match, {{"id", id}, {"patient", id}, {"visit", ""}})) +
         writing.extension;
}

std::optional<Tissue> Profile::tissue(std::uint8_t value) const {
  if (value == 0) return Tissue::kBackground;
  for (const LabelValue& label_value : labels) {
    if (label_value.value == value) return label_value.tissue;
  }
  return std::nullopt;
}

std::uint8_t Profile::value(Tissue tissue) const {
  for (const LabelValue& label_value : labels) {
    if (label_value.tissue == tissue) return label_value.value;
  }
  return 0;
}

std::optional<NameParts> Profile::parse(const std::string& path) const {
  std::smatch found;
  if (!std::regex_match(path, found, pattern)) return std::nullopt;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (std::find(not_in.begin(), not_in.end(), part) != not_in.end()) return std::nullopt;
    begin = end + 1;
  }
  NameParts parts{{"patient", ""}, {"visit", ""}, {"institution", institution}, {"grade", grade}};
  parts["root"] = found[1].str();
  for (std::size_t g = 0; g < groups.size(); ++g) parts[groups[g]] = found[g + 2].str();
  const std::size_t slash = path.rfind('/');
  parts["id"] = slash == std::string::npos ? path : path.substr(slash + 1);
  if (!id_template.empty()) parts["id"] = fill_in(id_template, parts);
  if (!patient_template.empty()) parts["full_patient"] = fill_in(patient_template, parts);
  parts["grade"] = full_grade(parts["grade"]);
  return parts;
}

Profile::MadeCase Profile::make_case(int number, const std::string& at,
                                     const std::string& case_grade) const {
  if (writing.path.empty()) {
    throw_error<ConfigError>("profile {}: the phantom does not know how to write it", name);
  }
  const int visits = std::max(1, static_cast<int>(writing.visits.size()));
  NameParts numbers{{"number", std::to_string(number / visits)},
                    {"number1", std::to_string(number / visits + 1)},
                    {"institution", at.empty() ? "SITE" : at},
                    {"grade", case_grade.empty() ? "HGG" : case_grade},
                    {"visit", ""}};
  if (!writing.visits.empty()) {
    numbers["visit"] = writing.visits[static_cast<std::size_t>(number % visits)];
  }
  MadeCase made;
  made.path = fill_in(writing.path, numbers);
  auto parts = parse(made.path);
  if (!parts) {
    throw_error<ConfigError>(
        "profile {}: the phantom's case \"{}\" is not named as case.match "
        "says (\"{}\")",
        name, made.path, match);
  }
  made.name.id = parts->at("id");
  made.name.patient = patient_template.empty() ? parts->at("patient") : parts->at("full_patient");
  if (made.name.patient.empty()) made.name.patient = made.name.id;
  made.name.visit = parts->at("visit");
  made.name.institution = at;
  made.name.grade = case_grade;
  numbers.insert(parts->begin(), parts->end());
  numbers["visit"] = parts->at("visit");
  std::string directory = made.path;
  if (unit_is_file) {
    const std::size_t slash = directory.rfind('/');
    directory = slash == std::string::npos ? "" : directory.substr(0, slash);
  }
  const auto place = [&](const std::string& written, const FilePattern& first) {
    const std::string file =
        without_stars(fill_in(written.empty() ? first.match : written, numbers));
    const std::string& root = parts->at("root");
    std::string path = file.starts_with("/") ? root + file : directory + "/" + file;
    path += writing.extension;
    return path.starts_with("/") ? path.substr(1) : path;
  };
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    made.images.push_back(
        place(writing.images.empty() ? "" : writing.images[m], images[m].front()));
  }
  if (!label.empty()) made.label = place(writing.label, label.front());
  return made;
}

std::string Profile::make_id(int number, const std::string& at) const {
  return make_case(number, at, "").name.id;
}

std::filesystem::path Profile::case_directory(const CaseName& case_name) const {
  const std::filesystem::path directory(case_name.id);
  if (!writing.path.starts_with("{grade}/") || case_name.grade.empty()) return directory;
  return case_name.grade / directory;
}

std::optional<Profile::Table> Profile::make_table(const std::vector<CaseName>& names) const {
  if (!writing.table) return std::nullopt;
  Table table{writing.table->file, writing.table->header + "\n"};
  for (const CaseName& known : names) {
    table.text += fill_in(writing.table->row, {{"id", known.id},
                                               {"patient", known.patient},
                                               {"grade", known.grade},
                                               {"institution", known.institution},
                                               {"institution_number", known.institution}}) +
                  "\n";
  }
  return table;
}

}  // namespace lacuna::data

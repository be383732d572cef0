#include "data/cohorts/profile.h"

#include <algorithm>
#include <map>
#include <regex>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"

namespace lacuna::data {
namespace {

using Origin = Profile::Origin;

const std::vector<std::string> kModalities = {"FLAIR", "T1", "T1c", "T2"};
const std::vector<std::string> kUnderscored = {"_flair", "_t1", "_t1ce", "_t2"};
const std::vector<std::string> kDashed = {"-t2f", "-t1n", "-t1c", "-t2w"};

const std::vector<LabelValue> kLabels124 = {
    {1, Tissue::kNecrosis}, {2, Tissue::kOedema}, {4, Tissue::kEnhancing}};
const std::vector<LabelValue> kLabels123 = {
    {1, Tissue::kNecrosis}, {2, Tissue::kOedema}, {3, Tissue::kEnhancing}};
const std::vector<LabelValue> kLabels1234 = {
    {1, Tissue::kNecrosis}, {2, Tissue::kOedema}, {3, Tissue::kEnhancing}, {4, Tissue::kResection}};

std::vector<Region> regions_with_resection() {
  std::vector<Region> regions = tumour_regions();
  regions.push_back({"RC", 1u << 4});
  return regions;
}

// What an underscored id of 2018 and 2019 holds: institution (2013, CBICA, TCIA01, TMC, WashU).
const std::regex kInstitutionId("bra?ts1[789]_([A-Za-z0-9]+)_.+", std::regex::icase);

// The nth id of a data set: prefix and zero-padded number.
struct IdForm {
  const char* prefix;
  int digits;
  int first;
  const char* tail;
};
const std::map<std::string, IdForm> kIdForms = {
    {"brats2020", {"BraTS20_Training_", 3, 1, ""}}, {"brats2021", {"BraTS2021_", 5, 0, ""}},
    {"brats2023", {"BraTS-GLI-", 5, 0, "-000"}},    {"brats2024", {"BraTS-GLI-", 5, 0, "-100"}},
    {"fets2021", {"FeTS21_Training_", 3, 1, ""}},   {"fets2022", {"FeTS2022_", 5, 0, ""}},
};

}  // namespace

const std::vector<Profile>& all_profiles() {
  static const std::vector<Profile> profiles = {
      {"brats2018", "BraTS 2018", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "Brats18_[A-Za-z0-9]+_.+", Origin::kIdAndFolder},
      {"brats2019", "BraTS 2019", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "BraTS19_[A-Za-z0-9]+_.+", Origin::kIdAndFolder},
      {"brats2020", "BraTS 2020", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "BraTS20_[A-Za-z]+_\\d{3}", Origin::kNameMapping},
      {"brats2021", "BraTS 2021", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "BraTS2021_\\d{5}", Origin::kNameMapping},
      // 2023 and later: also the other tumour types of that year (MEN, MET, PED, SSA).
      {"brats2023", "BraTS 2023", kModalities, kDashed, "-seg", kLabels123, tumour_regions(),
       "BraTS-[A-Z]+-\\d{5}-0\\d\\d", Origin::kNameMapping},
      // Post-treatment visits are numbered from 100.
      {"brats2024", "BraTS 2024 post-treatment", kModalities, kDashed, "-seg", kLabels1234,
       regions_with_resection(), "BraTS-GLI-\\d{5}-1\\d\\d", Origin::kNameMapping},
      {"fets2021", "FeTS 2021", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "FeTS21_[A-Za-z]+_\\d{3}", Origin::kPartitioning},
      {"fets2022", "FeTS 2022", kModalities, kUnderscored, "_seg", kLabels124, tumour_regions(),
       "FeTS2022_\\d{5}", Origin::kPartitioning},
  };
  return profiles;
}

const Profile& find_profile(const std::string& name) {
  std::vector<std::string> names;
  for (const Profile& profile : all_profiles()) {
    if (profile.name == name) return profile;
    names.push_back(profile.name);
  }
  const std::string near = nearest(name, names);
  throw_error<ConfigError>("unknown profile \"{}\"; known: {}{}", name, fmt::join(names, ", "),
                           near.empty() ? "" : fmt::format(". Did you mean {}?", near));
}

std::string Profile::image_file(const std::string& id, int modality) const {
  return id + suffixes.at(static_cast<std::size_t>(modality)) + ".nii.gz";
}

std::string Profile::segmentation_file(const std::string& id) const {
  return id + segmentation_suffix + ".nii.gz";
}

std::optional<Tissue> Profile::tissue(std::uint8_t value) const {
  if (value == 0) return Tissue::kBackground;
  for (const LabelValue& label : labels) {
    if (label.value == value) return label.tissue;
  }
  return std::nullopt;
}

std::uint8_t Profile::value(Tissue tissue) const {
  for (const LabelValue& label : labels) {
    if (label.tissue == tissue) return label.value;
  }
  return 0;
}

bool Profile::matches(const std::string& id) const {
  return std::regex_match(id, std::regex(id_pattern));
}

std::string Profile::institution_in(const std::string& id) const {
  std::smatch match;
  return std::regex_match(id, match, kInstitutionId) ? match[1].str() : "";
}

std::string Profile::make_id(int number, const std::string& institution) const {
  if (origin == Origin::kIdAndFolder) {
    const char* year = name == "brats2018" ? "Brats18" : "BraTS19";
    return fmt::format("{}_{}_{:03}_1", year, institution.empty() ? "SITE" : institution, number);
  }
  const IdForm& form = kIdForms.at(name);
  return fmt::format("{}{:0{}}{}", form.prefix, number + form.first, form.digits, form.tail);
}

std::filesystem::path Profile::case_directory(const CaseName& case_name) const {
  const std::filesystem::path directory(case_name.id);
  if (origin != Origin::kIdAndFolder || case_name.grade.empty()) return directory;
  return case_name.grade / directory;
}

std::optional<Profile::Table> Profile::make_table(const std::vector<CaseName>& names) const {
  if (origin == Origin::kIdAndFolder) return std::nullopt;
  const bool partitioning = origin == Origin::kPartitioning;
  Table table{partitioning ? "partitioning_1.csv" : "name_mapping.csv",
              partitioning ? "Partition_ID,Subject_ID\n" : "Grade,Site,Subject_ID\n"};
  for (const CaseName& known : names) {
    table.text += partitioning
                      ? fmt::format("{},{}\n", known.institution, known.id)
                      : fmt::format("{},{},{}\n", known.grade, known.institution, known.id);
  }
  return table;
}

DetectedProfile detect_profile(const std::vector<std::string>& directory_names,
                               const std::string& where) {
  std::map<std::string, std::pair<int, std::string>> votes;  // profile -> count and an example
  for (const std::string& name : directory_names) {
    for (const Profile& profile : all_profiles()) {
      if (!profile.matches(name)) continue;
      auto& [count, example] = votes[profile.name];
      if (count++ == 0) example = name;
    }
  }
  if (votes.empty()) {
    std::vector<std::string> known;
    for (const Profile& profile : all_profiles()) {
      known.push_back(fmt::format("{} ({})", profile.name, profile.make_id(0, "TCIA01")));
    }
    throw_error<DataError>(
        "{}: no directory is named like a case of a known data set; known: {}. Check --in, or name "
        "the naming scheme with --profile.",
        where, fmt::join(known, ", "));
  }
  if (votes.size() > 1) {
    std::vector<std::string> found;
    for (const auto& [name, vote] : votes) {
      found.push_back(fmt::format("{} of {} ({})", vote.first, name, vote.second));
    }
    throw_error<DataError>(
        "{}: holds cases of several data sets: {}. Ingest them one by one, or choose with "
        "--profile.",
        where, fmt::join(found, ", "));
  }
  const auto& [name, vote] = *votes.begin();
  const Profile& profile = find_profile(name);
  return {&profile, fmt::format("{} of {} case directories are named like {} ({})", vote.first,
                                directory_names.size(), profile.title, vote.second)};
}

}  // namespace lacuna::data

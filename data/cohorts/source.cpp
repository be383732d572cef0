#include "data/cohorts/source.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text/log.h"
#include "data/cohorts/case_table.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;

// Deep enough for MICCAI_BraTS_2018_Data_Training/HGG/<case> below a folder of downloads, and an
// end to directory links that run in circles.
constexpr int kMaxDepth = 5;

bool is_nifti(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".nii") || name.ends_with(".nii.gz");
}

struct Finding {
  std::vector<fs::path> case_directories, tables;
};

void walk(const fs::path& directory, int depth, Finding& finding) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(directory)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  if (std::any_of(entries.begin(), entries.end(), is_nifti)) {
    finding.case_directories.push_back(directory);
    return;
  }
  for (const fs::path& path : entries) {
    if (path.filename().string().starts_with(".")) continue;
    if (fs::is_directory(path)) {
      if (depth < kMaxDepth) walk(path, depth + 1, finding);
    } else if (path.extension() == ".csv") {
      finding.tables.push_back(path);
    }
  }
}

// The file `stem`.nii.gz or `stem`.nii; both at once is a problem of the case.
fs::path find_nifti(const fs::path& stem, std::string& problem) {
  const fs::path packed = stem.string() + ".nii.gz", plain = stem.string() + ".nii";
  const bool has_packed = fs::exists(packed), has_plain = fs::exists(plain);
  if (has_packed && has_plain) {
    problem = fmt::format("{}: exists beside {}: which one counts? Remove one of them.",
                          packed.string(), plain.filename().string());
  }
  return has_packed ? packed : has_plain ? plain : fs::path();
}

// One case of BraTS 2020 was published with its label as "<other name>_Segm.nii".
fs::path find_renamed_label(const fs::path& directory) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with("_Segm.nii") && !name.ends_with("_Segm.nii.gz")) continue;
    if (!found.empty()) return {};
    found = entry.path();
  }
  return found;
}

std::string grade_in_path(const fs::path& directory) {
  for (const fs::path& part : directory.parent_path()) {
    if (part == "HGG" || part == "LGG") return part.string();
  }
  return "";
}

SourceCase describe(const fs::path& directory, const Profile& profile) {
  SourceCase found;
  found.directory = directory;
  found.name.id = directory.filename().string();
  found.name.grade = grade_in_path(directory);
  found.name.institution = profile.institution_in(found.name.id);
  for (std::size_t m = 0; m < profile.suffixes.size(); ++m) {
    found.images.push_back(
        find_nifti(directory / (found.name.id + profile.suffixes[m]), found.problem));
  }
  found.label =
      find_nifti(directory / (found.name.id + profile.segmentation_suffix), found.problem);
  if (found.label.empty()) found.label = find_renamed_label(directory);
  return found;
}

void apply_tables(const std::vector<fs::path>& tables, SourceCohort& cohort) {
  std::vector<CaseName*> names;
  for (SourceCase& found : cohort.cases) names.push_back(&found.name);
  // In order, and what is known is not overwritten: partitioning_1.csv (the real institutions)
  // comes before partitioning_2.csv (divided further by tumour size).
  for (const fs::path& table : tables) {
    const int known = apply_case_table(table, *cohort.profile, names);
    if (known > 0) log::info("{}: describes {} cases", table.string(), known);
  }
}

}  // namespace

SourceCohort scan_source(const fs::path& directory, const std::string& profile) {
  if (!fs::is_directory(directory)) {
    throw_error<DataError>("{}: {}. Check --in.", directory.string(),
                           fs::exists(directory) ? "not a directory" : "does not exist");
  }
  Finding finding;
  walk(directory, 0, finding);
  if (finding.case_directories.empty()) {
    throw_error<DataError>(
        "{}: no .nii or .nii.gz file in it or up to {} levels below. Check --in: it must hold one "
        "directory per case.",
        directory.string(), kMaxDepth);
  }
  SourceCohort cohort;
  if (profile == "auto") {
    std::vector<std::string> names;
    for (const fs::path& path : finding.case_directories) names.push_back(path.filename().string());
    const DetectedProfile detected = detect_profile(names, directory.string());
    cohort.profile = detected.profile;
    cohort.why = detected.why;
  } else {
    cohort.profile = &find_profile(profile);
    cohort.why = "as asked for";
  }
  std::map<std::string, SourceCase> by_id;
  for (const fs::path& path : finding.case_directories) {
    SourceCase found = describe(path, *cohort.profile);
    const auto [place, fresh] = by_id.try_emplace(found.name.id, found);
    if (!fresh) {
      place->second.problem = fmt::format("{}: the case is also in {}. Remove one of them.",
                                          place->second.directory.string(), path.string());
    }
  }
  for (auto& [id, found] : by_id) cohort.cases.push_back(std::move(found));
  apply_tables(finding.tables, cohort);
  return cohort;
}

}  // namespace lacuna::data

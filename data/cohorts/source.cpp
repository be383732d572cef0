#include "data/cohorts/source.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/log.h"
#include "data/cohorts/case_table.h"
#include "data/cohorts/foreign_table.h"
#include "data/cohorts/nnunet_dataset.h"
#include "data/cohorts/profile_choice.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;

struct Found {
  const TreeImage* image = nullptr;
  int channel = -1;
};

// The files of one case.
class CaseFiles {
 public:
  CaseFiles(const SourceTree& tree, const NameParts& parts, std::string directory)
      : tree_(tree), parts_(parts), directory_(std::move(directory)) {}

  Found find(const std::vector<FilePattern>& patterns) {
    std::string doubt;
    for (const FilePattern& pattern : patterns) {
      const auto images = all_that_fit(pattern);
      if (images.size() == 1) {
        if (!images[0]->problem.empty()) problem = images[0]->problem;
        return {images[0], pattern.channel};
      }
      if (images.size() > 1 && doubt.empty()) {
        doubt = fmt::format("{}: exists beside {}: which one counts? Remove one of them.",
                            images[0]->path.string(), images[1]->path.filename().string());
        doubted_ = images[0];
      }
    }
    if (doubt.empty()) return {};
    problem = doubt;
    return {doubted_, -1};
  }

  std::string problem;

 private:
  std::vector<const TreeImage*> all_that_fit(const FilePattern& pattern) const {
    const std::string name = fill_in(pattern.match, parts_);
    const std::string base = name.starts_with("/") ? parts_.at("root") + name
                             : directory_.empty()  ? name
                                                   : directory_ + "/" + name;
    const std::string whole = base.starts_with("/") ? base.substr(1) : base;
    const std::size_t star = whole.find('*');
    std::vector<const TreeImage*> images;
    const auto& all = tree_.images();
    if (star == std::string::npos) {
      const auto [begin, end] = all.equal_range(whole);
      for (auto it = begin; it != end; ++it) images.push_back(&it->second);
    } else {
      const std::string opening = whole.substr(0, star);
      for (auto it = all.lower_bound(opening); it != all.end(); ++it) {
        if (!it->first.starts_with(opening)) break;
        if (fits(whole, it->first) && !is_excluded(pattern, it->first)) {
          images.push_back(&it->second);
        }
      }
    }
    return images;
  }

  static bool is_excluded(const FilePattern& pattern, const std::string& stem) {
    const std::string name = stem.substr(stem.rfind('/') + 1);
    return std::any_of(pattern.exclude.begin(), pattern.exclude.end(),
                       [&](const std::string& no) { return fits(no, name); });
  }

  const SourceTree& tree_;
  const NameParts& parts_;
  const std::string directory_;
  const TreeImage* doubted_ = nullptr;
};

std::string grade_in_path(const fs::path& directory) {
  for (const fs::path& part : directory.parent_path()) {
    if (part == "HGG" || part == "LGG") return part.string();
  }
  return "";
}

// nullopt: named like a case, but none of its images is there.
std::optional<SourceCase> describe(const SourceTree& tree, const Profile& profile,
                                   const NameParts& parts, const std::string& directory) {
  SourceCase found;
  found.directory = tree.path_of(directory);
  found.name.id = to_utf8(parts.at("id"));
  if (found.name.id.find('/') != std::string::npos || found.name.id.empty()) return std::nullopt;
  const auto patient = parts.find("full_patient");
  found.name.patient = to_utf8(patient != parts.end() ? patient->second : parts.at("patient"));
  if (found.name.patient.empty()) found.name.patient = found.name.id;
  found.name.visit = to_utf8(parts.at("visit"));
  found.name.institution = to_utf8(parts.at("institution"));
  found.name.grade = parts.at("grade");
  if (found.name.grade.empty()) found.name.grade = grade_in_path(found.directory);
  CaseFiles files(tree, parts, directory);
  bool any = false;
  for (const auto& patterns : profile.images) {
    const Found image = files.find(patterns);
    any = any || image.image != nullptr;
    found.images.push_back(image.image == nullptr ? fs::path() : image.image->path);
    found.channels.push_back(image.channel);
  }
  if (!any) return std::nullopt;
  const Found label = files.find(profile.label);
  if (label.image != nullptr) found.label = label.image->path;
  found.problem = files.problem;
  return found;
}

void apply_tables(const SourceTree& tree, SourceCohort& cohort) {
  std::vector<CaseName*> names;
  for (SourceCase& found : cohort.cases) names.push_back(&found.name);
  // In order: partitioning_1.csv (the real institutions) comes before partitioning_2.csv (divided
  // further by tumour size).
  apply_case_tables(tree.tables(), *cohort.profile, names);
  for (const fs::path& path : tree.spreadsheets()) {
    log::warn(
        "{}: a spreadsheet, which is not read. If it says where cases come from, open it and "
        "save it as CSV beside them.",
        path.string());
  }
}

// Images that no case has: an atlas, masks of another program, a case with an odd name.
void name_strays(const SourceTree& tree, const SourceCohort& cohort) {
  std::set<fs::path> used;
  for (const SourceCase& found : cohort.cases) {
    used.insert(found.images.begin(), found.images.end());
    used.insert(found.label);
  }
  std::size_t strays = 0;
  std::string first;
  const std::size_t directories = [&] {
    std::set<fs::path> with_case;
    for (const auto& path : used) with_case.insert(path.parent_path());
    for (const auto& [stem, image] : tree.images()) {
      // Further images of a case (ADC, perfusion) are usual.
      if (used.count(image.path) > 0 || with_case.count(image.path.parent_path()) > 0) continue;
      if (strays++ == 0) first = image.path.string();
    }
    return with_case.size();
  }();
  if (strays == 0 || directories == 0) return;
  log::warn("{} image files belong to no case of profile {}, for example {}", strays,
            cohort.profile->name, first);
}

}  // namespace

std::vector<SourceCase> match_cases(const SourceTree& tree, const Profile& profile) {
  std::map<std::string, SourceCase> by_id;
  std::set<std::string> seen;  // groups of files: one case for all of them
  const auto consider = [&](const std::string& name, const std::string& directory) {
    const auto parts = profile.parse(name);
    if (!parts) return;
    if (profile.unit_is_file && !seen.insert(directory + "\n" + parts->at("id")).second) return;
    auto found = describe(tree, profile, *parts, directory);
    if (!found) return;
    const auto [place, fresh] = by_id.try_emplace(found->name.id, *found);
    if (!fresh) {
      place->second.problem =
          fmt::format("{}: the case is also in {}. Remove one of them.",
                      place->second.directory.string(), found->directory.string());
    }
  };
  if (profile.unit_is_file) {
    for (const auto& [stem, image] : tree.images()) {
      const std::size_t slash = stem.rfind('/');
      consider(stem, slash == std::string::npos ? "" : stem.substr(0, slash));
    }
  } else {
    for (const std::string& directory : tree.directories()) consider(directory, directory);
  }
  std::vector<SourceCase> cases;
  for (auto& [id, found] : by_id) cases.push_back(std::move(found));
  return cases;
}

SourceCohort scan_source(const fs::path& directory, const std::string& profile,
                         const std::string& preferred) {
  if (!fs::is_directory(directory)) {
    throw_error<DataError>("{}: {}. Check --in.", directory.string(),
                           fs::exists(directory) ? "not a directory" : "does not exist");
  }
  const Profile* asked = profile == "auto" ? nullptr : &find_profile(profile);
  const SourceTree tree(directory);
  if (tree.images().empty()) {
    throw_error<DataError>(
        "{}: no .nii or .nii.gz file (nor .mha) in it or in the folders below. Check --in: it must "
        "hold one directory per case.",
        directory.string());
  }
  SourceCohort cohort;
  if (asked == nullptr) {
    ProfileChoice choice = choose_profile(tree, directory, preferred);
    cohort.profile = choice.profile;
    cohort.why = std::move(choice.why);
    cohort.cases = std::move(choice.cases);
  } else {
    cohort.profile = asked->dataset_file.empty() ? asked : &profile_of_dataset(tree, *asked);
    cohort.why = "as asked for";
    cohort.cases = match_cases(tree, *cohort.profile);
    if (cohort.cases.empty()) {
      throw_error<DataError>(
          "{}: no case of profile {} in it: {} with {}. There is, for example, {}. Check --in and "
          "--profile.",
          directory.string(), asked->name,
          asked->unit_is_file ? "files are not named like" : "no directory is named like",
          asked->match, tree.images().begin()->second.path.string());
    }
  }
  apply_tables(tree, cohort);
  name_strays(tree, cohort);
  return cohort;
}

}  // namespace lacuna::data

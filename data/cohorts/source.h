// Finds the cases of a directory of images: which files belong to which case, and what names of
// folders and tables beside them say of patient, institution and grade. Looks at names; at label
// values only where names leave a choice between profiles (data/cohorts/profile_choice.h).
//
// A case is a directory, or a group of files, that is named as the profile says and holds at least
// one of its images. Whatever else lies there is passed over. Throws DataError when the directory
// does not exist or holds no case, or when the choice of a profile would be a guess, and
// ConfigError for an unknown profile name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"
#include "data/cohorts/source_tree.h"

namespace lacuna::data {

// The files of a label map, per modality; an empty path where the modality has none.
struct LabelMapSource {
  std::string name;
  std::vector<std::filesystem::path> files;
  std::string problem = {};  // why it cannot be used; "" = nothing found yet
};

struct SourceCase {
  CaseName name;
  std::filesystem::path directory;
  std::vector<std::filesystem::path> images;  // per modality; empty path: no such file
  std::filesystem::path label;                // empty: not there
  std::string problem;                        // why the case cannot be used; "" = nothing found yet
  // Per modality: the channel of a 4-D file; -1: the file is the volume. Empty: all -1.
  std::vector<int> channels;
  std::vector<LabelMapSource> label_maps = {};

  int channel(std::size_t modality) const {
    return modality < channels.size() ? channels[modality] : -1;
  }
};

struct SourceCohort {
  const Profile* profile = nullptr;
  std::string why;                // how the profile was chosen
  std::vector<SourceCase> cases;  // sorted by id; an id that occurs twice is one entry, a problem
};

// The cases that `profile` sees in a tree, sorted by id, without what tables say.
std::vector<SourceCase> match_cases(const SourceTree& tree, const Profile& profile);

// `profile`: a name, a file, or "auto". `preferred`: of an earlier cohort at the same place: taken
// instead of the one that "auto" finds when it sees the same cases and numbers labels alike.
SourceCohort scan_source(const std::filesystem::path& directory, const std::string& profile,
                         const std::string& preferred = "");

}  // namespace lacuna::data

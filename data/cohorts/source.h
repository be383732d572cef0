// Finds the cases of a directory of NIfTI files: which files belong to which case, and what folder
// names and tables beside them say of its institution and grade. Looks at names only.
//
// A case directory is one that holds .nii or .nii.gz files, up to five levels below the given one;
// its name is the case id. Throws DataError when the directory does not exist or holds no case, and
// ConfigError for an unknown profile name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"

namespace lacuna::data {

struct SourceCase {
  CaseName name;
  std::filesystem::path directory;
  std::vector<std::filesystem::path> images;  // per modality; empty path: no such file
  std::filesystem::path label;                // empty: not there
  std::string problem;                        // why the case cannot be used; "" = nothing found yet
};

struct SourceCohort {
  const Profile* profile = nullptr;
  std::string why;                // how the profile was chosen
  std::vector<SourceCase> cases;  // sorted by id; an id that occurs twice is one entry, a problem
};

// `profile`: a name, or "auto".
SourceCohort scan_source(const std::filesystem::path& directory, const std::string& profile);

}  // namespace lacuna::data

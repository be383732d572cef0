// Scoring of a segmentation file against another one. Pure function of the files, thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"
#include "evaluation/overlap.h"

namespace lacuna::evaluation {

struct FileScores {
  const data::Profile* profile = nullptr;  // whose label values and regions were used
  std::vector<RegionScore> regions;        // in the order of profile->regions
};

// `profile`: a profile's name, or "auto": by the values in both files. 3 and 4 together are
// brats2024's (4 is the resection cavity), 4 alone brats2021's (4 is enhancing tumour), and
// anything else brats2023's. Throws DataError: a file that cannot be read, sizes or affines that
// differ, a value that the profile does not know. ConfigError: an unknown profile.
FileScores score_files(const std::filesystem::path& prediction, const std::filesystem::path& truth,
                       const std::string& profile, const ScoreOptions& options);

}  // namespace lacuna::evaluation

// Scoring of a segmentation file against another one. Pure function of the files, thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"
#include "evaluation/scores/overlap.h"

namespace lacuna::evaluation {

struct FileScores {
  const data::Profile* profile = nullptr;  // whose label values and regions were used
  // In the order of profile->regions, then of ScoreOptions::minimums.
  std::vector<RegionScore> regions;
};

// `profile`: a profile's name, or "auto": by the values in each file. 3 and 4 together are
// brats2024's (4 is the resection cavity), 4 without 3 brats2021's (4 is enhancing tumour), 3
// without 4 brats2023's, which brats2024 contains. Throws DataError: a file that cannot be read,
// sizes or affines that differ, a value that the profile does not know, two files whose numberings
// contradict each other. ConfigError: an unknown profile, a score that its regions do not have.
FileScores score_files(const std::filesystem::path& prediction, const std::filesystem::path& truth,
                       const std::string& profile, const ScoreOptions& options);

}  // namespace lacuna::evaluation

// What one case scored under one subset of modalities. Value type.
#pragma once

#include <string>
#include <vector>

#include "data/types/modality.h"
#include "evaluation/scores/overlap.h"

namespace lacuna::evaluation {

struct CaseScore {
  std::string case_id, institution;
  data::SubsetMask subset = 0;
  std::vector<RegionScore> regions;  // in the order of Cohort::regions
  // After each of ScoreOptions::minimums: beside the regions, in no mean over
  // them.
  std::vector<RegionScore> processed = {};
  std::string checksum = {};  // CaseInfo::checksum: whose voxels these are; "" where not known
};

}  // namespace lacuna::evaluation

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
};

}  // namespace lacuna::evaluation

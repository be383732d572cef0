// Is one method better than another on the same cases? Paired tests, subset by subset.
// Pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "data/types/modality.h"
#include "evaluation/scores/case_score.h"
#include "evaluation/statistics/statistics.h"

namespace lacuna::evaluation {

// Over the cases that both sides scored under a subset; the value of a case is its Dice, mean over
// the regions.
struct SubsetComparison {
  data::SubsetMask subset = 0;
  int cases = 0;
  double mean_dice = 0, other_mean_dice = 0;
  WilcoxonResult test;
  double p_holm = 1;  // adjusted for the number of subsets compared
};

// In the order of ModalitySet::subsets(); subsets without a common case are left out.
std::vector<SubsetComparison> compare(const std::vector<CaseScore>& scores,
                                      const std::vector<CaseScore>& other,
                                      const data::ModalitySet& modalities);

// subset,cases,dice_mean,other_dice_mean,difference,wilcoxon_p,p_holm,exact
std::string comparison_csv(const std::vector<SubsetComparison>& rows,
                           const data::ModalitySet& modalities);

}  // namespace lacuna::evaluation

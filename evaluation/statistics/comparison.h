// Is one method better than another on the same cases? Paired tests, subset by subset, and whether
// two evaluations may be compared at all. Pure functions, thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/types/modality.h"
#include "evaluation/scores/case_score.h"
#include "evaluation/statistics/statistics.h"

namespace lacuna::evaluation {

// What decides whether numbers of two evaluations belong into one table.
struct EvaluationIdentity {
  std::string hd95, empty_rule;              // how was scored; "" where not known
  std::string part;                          // test, validation, ...
  std::string cohort;                        // fingerprint
  std::map<std::string, std::string> cases;  // id -> checksum; "" where not known
};

// `about`: a summary.json, of this version or an earlier one.
EvaluationIdentity identity_of(const Json& about, const std::vector<CaseScore>& scores);

// Why the two must not be compared, naming the difference: other definitions, another part, cases
// of the same name with other content, another cohort where the content is not known. "" when they
// may be: cohorts may differ in cases that only one of them has.
std::string why_not_comparable(const EvaluationIdentity& a, const EvaluationIdentity& b);

// Over the cases that both sides scored under a subset: the same id and, where both know it, the
// same content. The value of a case is its Dice, mean over the regions.
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

// Adjusts p_holm for all tests of several comparisons that are shown together.
void adjust_together(std::vector<std::vector<SubsetComparison>>& comparisons);

// subset,cases,dice_mean,other_dice_mean,difference,wilcoxon_p,p_holm,exact
std::string comparison_csv(const std::vector<SubsetComparison>& rows,
                           const data::ModalitySet& modalities);

}  // namespace lacuna::evaluation

// What the scores of many cases and subsets add up to. docs/evaluation.md defines each number.
// Values and pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "data/types/modality.h"
#include "evaluation/scores/case_score.h"

namespace lacuna::evaluation {

// Means over cases, one value per region; Dice as a fraction, HD95 in mm.
struct Means {
  int cases = 0;
  std::vector<double> dice, hd95_mm;
};

struct SubsetMeans {
  data::SubsetMask subset = 0;
  Means means;
};

struct InstitutionMeans {
  std::string institution;
  Means means;  // over its cases and their subsets
};

// Mean over the subsets of each size 1..M, and the normalised area under that curve: the mean
// height of the piecewise linear curve between size 1 and size M.
struct Robustness {
  std::vector<double> dice_by_size,
      hd95_by_size;                     // mean over regions; NaN for a size not evaluated
  double dice_area = 0, hd95_area = 0;  // NaN when a size was not evaluated
};

struct Summary {
  std::vector<std::string> regions;
  int cases = 0;
  bool hd95 = true;                  // false: HD95 was not computed and means nothing
  std::vector<SubsetMeans> subsets;  // in the order of ModalitySet::subsets(), evaluated ones only
  Means all;                         // mean over subsets (each subset counts once)
  std::vector<InstitutionMeans> institutions;  // by name; empty when none is known
  Robustness robustness;
};

double mean_of(const std::vector<double>& values);  // NaN for none
double mean_dice(const CaseScore& score);           // over its regions

Summary summarise(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const std::vector<data::Region>& regions, bool hd95);

}  // namespace lacuna::evaluation

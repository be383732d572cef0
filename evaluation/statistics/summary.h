// What the scores of many cases and subsets add up to. docs/evaluation.md defines each number.
// Values and pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "data/types/modality.h"
#include "evaluation/scores/case_score.h"

namespace lacuna::evaluation {

// The mean of one further score over the cases that have a value.
struct ColumnMean {
  double mean = 0;        // NaN: no case has one; infinite: one case is
  double charged = 0;     // with kInfiniteChargeMm in place of infinite values
  int without_value = 0;  // cases that are NaN and count in no mean
  int infinite = 0;
};
inline constexpr double kInfiniteChargeMm = 373;

// Means over cases, one value per region; Dice as a fraction, HD95 in mm. NaN for a region that the
// method does not predict.
struct Means {
  int cases = 0;
  std::vector<double> dice, hd95_mm;
  // Of the regions after post-processing, beside the others and in no mean over regions.
  std::vector<double> processed_dice = {}, processed_hd95_mm = {};
  // Of Summary::columns: [region, then post-processed one][column].
  std::vector<std::vector<ColumnMean>> columns = {};
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

// Names of what CaseScore holds beside the regions' own Dice and HD95.
struct FurtherScores {
  std::vector<std::string> processed;  // "ET_pp500"
  std::vector<std::string> columns;    // "surface.hd95_mm", of RegionScore::values
};

struct Summary {
  std::vector<std::string> regions;
  FurtherScores further;
  int cases = 0;
  bool hd95 = true;                  // false: HD95 was not computed and means nothing
  std::vector<SubsetMeans> subsets;  // in the order of ModalitySet::subsets(), evaluated ones only
  Means all;                         // mean over subsets (each subset counts once)
  std::vector<InstitutionMeans> institutions;  // by name; empty when none is known
  Robustness robustness;
};

double mean_of(const std::vector<double>& values);  // of those that are not NaN; NaN for none
double mean_dice(const CaseScore& score);           // over its regions

Summary summarise(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const std::vector<data::Region>& regions, bool hd95,
                  const FurtherScores& further = {});

}  // namespace lacuna::evaluation

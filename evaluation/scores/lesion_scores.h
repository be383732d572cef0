// Lesion-wise scores of one region by the rules of the BraTS challenges of 2023 and of 2026, and
// counts of lesions by size. docs/evaluation.md states the rules.
//
// Numbers may be NaN or infinite, as the official programs' are. Pure but for what the pair keeps.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include "evaluation/scores/region_pair.h"

namespace lacuna::evaluation {

inline constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinite = std::numeric_limits<double>::infinity();

// The charge of 2023 for a lesion that is missed and for one that is not there.
inline constexpr double kMissedLesionMm = 374;

// Lesions are components of the truth whose dilations (`dilations` times by 18 neighbours) touch;
// those of more than `threshold_mm3` count.
struct Lesions2023Rule {
  int dilations = 3;
  double threshold_mm3 = 50;
};

struct Lesions2023 {
  double dice = 0, hd95_mm = 0;  // over the lesions that count and the false ones
  int found = 0, missed = 0;     // lesions that count
  int false_positives = 0;       // predicted components that touch no dilated lesion
};

Lesions2023 score_lesions_2023(RegionPair& pair, const Lesions2023Rule& rule);

struct Lesions2026 {
  int matched = 0, false_positives = 0, missed = 0;
  double recognition = 0;                 // tp / (tp + fp/2 + fn/2)
  double dice = 0, hd95_mm = 0, nsd = 0;  // means over the matched lesions
  double global_dice = 0, global_hd95 = 0, global_nsd = 0;
  bool assignment_unique = true;
};

// as_shipped: with the faults of the official package, which takes the spacing of the axes in
// reverse order, and voxels for mm in the global numbers.
Lesions2026 score_lesions_2026(RegionPair& pair, bool as_shipped);

// Lesions by size in mm^3: below 50, 50 to 500, 500 to 5,000, and from 5,000 on.
inline constexpr std::array<double, 3> kLesionSizes = {50, 500, 5000};
struct LesionCounts {
  std::array<int, 4> found{}, missed{};  // true components with and without a predicted voxel
  std::array<int, 4> false_positives{};  // predicted components without a true voxel
};

LesionCounts count_lesions(RegionPair& pair);

}  // namespace lacuna::evaluation

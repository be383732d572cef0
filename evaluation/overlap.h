// Dice and HD95 of one region of one case.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/cohort.h"

namespace lacuna::evaluation {

// Diagonal of a 240 x 240 x 155 mm volume: the challenge's charge when exactly one mask is empty.
inline constexpr double kOneEmptyMaskHd95Mm = 373.13;

enum class Hd95Definition {
  kDirected,  // maximum of the two directed 95th percentiles (MONAI)
  kPooled,    // 95th percentile of both directions together (medpy)
};

struct ScoreOptions {
  Hd95Definition hd95 = Hd95Definition::kDirected;
  double one_empty_mm = kOneEmptyMaskHd95Mm;
  int threads = 1;
};

struct RegionScore {
  double dice = 0;     // 1 when both are empty, 0 when one is
  double hd95_mm = 0;  // 0 when both are empty, one_empty_mm when one is
  std::int64_t predicted_voxels = 0, true_voxels = 0;
};

// Scores one prediction against one truth (Tissue values, D x H x W), a score per region.
std::vector<RegionScore> score_case(std::span<const std::uint8_t> prediction,
                                    std::span<const std::uint8_t> truth, const data::Extent& extent,
                                    const std::array<double, 3>& spacing_mm,
                                    const std::vector<data::Region>& regions,
                                    const ScoreOptions& options, bool hd95 = true);

}  // namespace lacuna::evaluation

// Dice and HD95 of the regions of one case. docs/evaluation.md defines both numbers.
//
// HD95 in mm, from surface voxels (mask.h) and exact distances (distance_transform.h), with NumPy's
// linear percentile. `directed` is not `pooled`: the two differ on the same masks. Further scores
// come from a ScoreSet.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/cache/cohort.h"
#include "evaluation/scores/region_minimum.h"
#include "evaluation/scores/score_set.h"

namespace lacuna::evaluation {

// Diagonal of a 240 x 240 x 155 mm volume: the challenge's charge when exactly one mask is empty.
inline constexpr double kOneEmptyMaskHd95Mm = 373.13;

enum class Hd95Definition {
  kDirected,  // maximum of the two directed 95th percentiles (MONAI)
  kPooled,    // 95th percentile of both directions together (medpy)
};

const char* name_of(Hd95Definition definition);      // "directed", "pooled"
Hd95Definition parse_hd95(const std::string& text);  // throws ConfigError

struct ScoreOptions {
  Hd95Definition hd95 = Hd95Definition::kDirected;
  double one_empty_mm = kOneEmptyMaskHd95Mm;
  double dice_smooth = 0;  // s in (2 |A and B| + s) / (|A| + |B| + s)
  int threads = 1;
  ScoreSet scores;  // further ones, by name
  // Each adds a score beside the region's own, as if it were a further region.
  std::vector<RegionMinimum> minimums;
  // Bit t set = the method can predict Tissue t. A region without such a tissue is not scored.
  std::uint32_t predicted_tissues = ~0u;
};

// "Dice smooth 0; HD95 directed; ...": what two evaluations must share to be compared.
std::string describe_definitions(const ScoreOptions& options);

// The rule for empty masks in words, as every report prints it.
std::string describe_empty_rule(const ScoreOptions& options);

// NaN throughout for a region that the method does not predict.
struct RegionScore {
  double dice = 0;     // 1 when both are empty, 0 when one is
  double hd95_mm = 0;  // 0 when both are empty, one_empty_mm when one is
  std::int64_t predicted_voxels = 0, true_voxels = 0;
  std::vector<double> values = {};  // of ScoreOptions::scores.columns()
};

// One truth, against which any number of predictions is scored: its masks, surfaces and distance
// tables are made once. Not thread-safe: score() enlarges the tables when a prediction needs it.
class TruthDistances {
 public:
  // truth: Tissue values, D x H x W. Throws DataError as region_masks() does.
  TruthDistances(std::span<const std::uint8_t> truth, const data::Extent& extent,
                 const std::array<double, 3>& spacing_mm, const std::vector<data::Region>& regions,
                 const ScoreOptions& options);
  ~TruthDistances();
  TruthDistances(TruthDistances&&) noexcept;

  // A score per region, then one per ScoreOptions::minimums. Without hd95, hd95_mm stays 0.
  std::vector<RegionScore> score(std::span<const std::uint8_t> prediction, bool hd95 = true);

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

// Scores one prediction against one truth (Tissue values, D x H x W), as TruthDistances::score().
std::vector<RegionScore> score_case(std::span<const std::uint8_t> prediction,
                                    std::span<const std::uint8_t> truth, const data::Extent& extent,
                                    const std::array<double, 3>& spacing_mm,
                                    const std::vector<data::Region>& regions,
                                    const ScoreOptions& options, bool hd95 = true);

}  // namespace lacuna::evaluation

// The scores that can be asked for by name (--scores voxel,lesion2023-gli,...), their columns and
// their values for one region. docs/evaluation.md defines each. Values; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "data/types/tissue.h"
#include "evaluation/scores/region_pair.h"

namespace lacuna::evaluation {

struct ScoreDefinition {
  enum class Kind { kVoxel, kLesion2023, kLesion2026, kSurface, kCounts };
  std::string name;
  Kind kind = Kind::kVoxel;
  std::vector<std::string> columns;
  int dilations = 0;         // lesion2023
  double threshold_mm3 = 0;  // lesion2023
  bool as_shipped = false;   // lesion2026
};

struct ScoreColumn {
  std::string score, column;
  std::string name() const { return score + "." + column; }
};

// What an empty mask scores in `voxel`, and the smoothing of Dice.
struct VoxelRule {
  double one_empty_mm = 0, dice_smooth = 0;
};

class ScoreSet {
 public:
  ScoreSet() = default;
  // Throws ConfigError naming the known scores and the nearest.
  explicit ScoreSet(const std::vector<std::string>& names);

  bool empty() const { return definitions_.empty(); }
  std::vector<std::string> names() const;
  const std::vector<ScoreColumn>& columns() const { return columns_; }
  // Throws ConfigError when a challenge's definition is asked for and `where` lacks its regions.
  void require_regions(const std::vector<data::Region>& regions, const std::string& where) const;

  // A value per column; NaN for a region that the definition does not know.
  std::vector<double> score(RegionPair& pair, const std::string& region,
                            const VoxelRule& rule) const;

 private:
  std::vector<const ScoreDefinition*> definitions_;
  std::vector<ScoreColumn> columns_;
};

const std::vector<ScoreDefinition>& all_scores();

// Why a value of a column is NaN or infinite, for people.
std::string why_no_number(const ScoreColumn& column, double value, const std::string& region,
                          std::int64_t predicted_voxels, std::int64_t true_voxels);

// "voxel" without smoothing: 1 when both are empty.
double dice(const RegionPair& pair, double smooth);
// Of true and of other voxels, those found as such; an empty truth is found (1) when nothing is
// predicted and missed (0) when something is.
double sensitivity(const RegionPair& pair);
double specificity(const RegionPair& pair);

}  // namespace lacuna::evaluation

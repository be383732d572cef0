// Post-processing of segmentations by size: a region that is predicted with fewer voxels than a
// minimum is taken for a mistake (`--et-min 500`). Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/types/tissue.h"

namespace lacuna::evaluation {

struct RegionMinimum {
  std::string region;       // "ET"
  std::int64_t voxels = 0;  // voxels - 1 act, `voxels` do not
  bool relabel = false;  // masks: the region becomes necrosis; else it is emptied in its own score

  std::string name() const;  // of the score beside the region's own: "ET_pp500"
};

// "500", "500:relabel", "500:drop" for `region`. Throws ConfigError.
RegionMinimum parse_minimum(const std::string& region, const std::string& text);
// The same with the region in front: "ET=500:drop".
RegionMinimum parse_region_minimum(const std::string& text);

// What a predicted region looks like after the step: its voxels, or none.
bool is_emptied(const RegionMinimum& rule, std::int64_t predicted_voxels);

// Applies the rules that relabel to a segmentation (Tissue values), in order. Returns how many
// acted. Throws ConfigError: a rule for a region that `regions` lacks, or that has several tissues.
int relabel_small_regions(const std::vector<RegionMinimum>& rules,
                          const std::vector<data::Region>& regions,
                          std::vector<std::uint8_t>& labels);

// Throws ConfigError when a rule names none of `regions`.
void require_known(const std::vector<RegionMinimum>& rules,
                   const std::vector<data::Region>& regions);

}  // namespace lacuna::evaluation

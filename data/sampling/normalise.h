// Intensities of a file to what a network sees, in one pass over the voxels.
//
// Every normalisation of the recipes is y = (clamp(x, low, high) - shift) * factor, with background
// voxels at exactly 0 unless the recipe keeps them. Pure functions, thread-safe.
#pragma once

#include "data/cache/case_file.h"
#include "data/cache/cohort.h"
#include "data/types/recipe.h"

namespace lacuna::data {

struct IntensityMap {
  float low = 0, high = 0;
  float shift = 0, factor = 1;
  float background = 0;  // raw value that becomes 0; NaN: none does
};

// A volume without contrast (deviation or range 0) becomes all 0.
IntensityMap intensity_map(Normalisation normalisation, const IntensityStatistics& statistics,
                           Background background = Background::kZero);
// What a recipe does to one modality of a case. Throws DataError naming the case when its
// intensities do not suit the normalisation.
IntensityMap intensity_map(const DataRecipe& recipe, const CaseFile& file, int modality);

// out[i] from voxel i of a stored row; reversed: out[count - 1 - i] (a mirrored row).
void normalise_row(const IntensityMap& map, const StoredRow& row, float* out, bool reversed);

}  // namespace lacuna::data

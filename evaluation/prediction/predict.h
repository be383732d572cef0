// Segmentation of a case that comes as NIfTI files, written back onto the grid of those files.
#pragma once

#include <filesystem>
#include <optional>

#include "data/cohorts/profile.h"
#include "data/cohorts/source.h"
#include "methods/method.h"

namespace lacuna::evaluation {

struct PredictOptions {
  std::filesystem::path out;          // directory of the masks
  data::SubsetMask subset = ~0u;      // modalities to use, as far as the case has them
  std::optional<data::Extent> patch;  // as for segment_subsets()
};

struct Prediction {
  std::filesystem::path file;   // out/<id>.nii.gz
  data::SubsetMask subset = 0;  // what was used
};

// Reads, checks and normalises the case as ingest does, segments it under the modalities that are
// both asked for and there, and writes the mask with the profile's label values. The case's own
// label file is not looked at. Throws DataError as ingest does, or when no modality is left.
Prediction predict_case(methods::Method& method, const data::SourceCase& source,
                        const data::Profile& profile, const PredictOptions& options);

}  // namespace lacuna::evaluation

// Segmentation of a case that comes as NIfTI files, written back onto the grid of those files.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "data/cache/cohort.h"
#include "data/cohorts/profile.h"
#include "data/cohorts/source.h"
#include "evaluation/scores/region_minimum.h"
#include "methods/method.h"

namespace lacuna::evaluation {

struct PredictOptions {
  std::filesystem::path out;          // directory of the masks
  data::SubsetMask subset = ~0u;      // modalities to use, as far as the case has them
  std::optional<data::Extent> patch;  // as for segment_subsets()
  std::optional<data::Grid> grid;     // of the cohort that the method was trained on
  bool resample = false;              // a case of another voxel size, in place of refusing it
  bool mirrored = false, rankseg = false;
  std::vector<RegionMinimum> minimums;  // those that relabel
  bool probabilities = false;           // <id>_prob_<region>.nii.gz, float
  bool uncertainty = false;             // <id>_uncertainty.nii.gz, float
};

struct Prediction {
  std::filesystem::path file;   // out/<id>.nii.gz
  data::SubsetMask subset = 0;  // what was used
  int relabelled = 0;           // rules of PredictOptions::minimums that acted
};

// Reads, checks and normalises the case as ingest does, segments it under the modalities that are
// both asked for and there, and writes the mask with the profile's label values. The case's own
// label file is not looked at. Nothing but results is written to disk. Throws DataError as ingest
// does, or when no modality is left.
//
// Uncertainty of a voxel: the largest binary entropy of the regions' probabilities, in bits: 0
// where all are 0 or 1, 1 where one of them is 1/2.
Prediction predict_case(methods::Method& method, const data::SourceCase& source,
                        const data::Profile& profile, const PredictOptions& options);

}  // namespace lacuna::evaluation

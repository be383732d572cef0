// Phantom cohorts: made-up patients as NIfTI files in the layout of a published data set, for
// demonstrations, tests and measurements. Same options, same bytes, on any number of threads.
//
// The directory gets one folder per case with the modality files and the segmentation, the data
// set's own table of institutions where it has one, and phantom.json, which holds the options and
// whether the cohort is complete. A directory of an interrupted run with the same options is
// completed, a complete one is left alone, and anything else is refused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/progress.h"
#include "data/types/extent.h"

namespace lacuna::data {

// What real data sets have and a made-up one does not, unless it is asked to.
struct PhantomTraits {
  // Voxels of the brain's rim below zero, as interpolation at registration leaves them.
  bool negative = false;
  // Labels as float64, a little off whole numbers, as programs that resample write them.
  bool float_labels = false;
  // In every fourth case, from the second on, a label that is the same value in every voxel.
  bool full_masks = false;
  // Files whose axes point to right, anterior, superior beside others of the usual ones, within a
  // case and between cases. The same heads.
  bool mixed_axes = false;

  bool operator==(const PhantomTraits&) const = default;
};
// By name: negative, float-labels, full-masks, mixed-axes. Throws ConfigError for another one.
PhantomTraits parse_phantom_traits(const std::vector<std::string>& names);

struct PhantomOptions {
  int cases = 12;
  Extent extent{155, 240, 240};       // voxels; each axis at least 16
  std::string profile = "brats2021";  // data/cohorts/profile.h
  std::uint64_t seed = 1;
  double missing = 0;  // chance of each modality file to be left out; a case keeps at least one
  int threads = 1;
  std::array<double, 3> spacing_mm{1, 1,
                                   1};  // along D, H, W; the head fills the volume all the same
  PhantomTraits traits = {};
};

struct PhantomReport {
  int cases = 0, image_files = 0, left_out = 0;
  bool was_complete = false;  // nothing had to be done
};

// Throws ConfigError on impossible options or a directory that holds something else.
PhantomReport write_phantom(FileSystem& files, const Path& directory, const PhantomOptions& options,
                            Progress& progress);

}  // namespace lacuna::data

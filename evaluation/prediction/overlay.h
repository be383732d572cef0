// One slice of the best and of the worst case of an evaluation, for people to look at.
//
// While an evaluation runs, keep() takes the axial slice with the most tumour from each shown
// segmentation (a few KB per case). write() then picks the two cases by mean Dice and stores
// `best.safetensors` and `worst.safetensors` with the tensors
//   image        M x H x W uint8: each modality, its darkest and brightest percent clipped
//   truth        H x W uint8, Tissue values
//   predictions  S x H x W uint8, Tissue values
// and the metadata case, slice, modalities, subsets (comma-separated), dice (of each subset, mean
// over regions) and mean_dice (over all evaluated subsets).
//
// Not thread-safe. The cohort must outlive the object.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/files/file_system.h"
#include "data/cache/cohort.h"
#include "evaluation/prediction/packing.h"
#include "evaluation/prediction/subset_evaluation.h"

namespace lacuna::evaluation {

// The full set and each modality alone: the two ends of what can be missing.
std::vector<data::SubsetMask> shown_subsets(const data::ModalitySet& modalities);

class OverlayWriter {
 public:
  explicit OverlayWriter(const data::Cohort& cohort);

  // For EvaluationOptions::keep. `segmentation`: D x H x W on the full grid.
  void keep(int case_index, data::SubsetMask subset, const std::vector<std::uint8_t>& segmentation);

  // What was kept, for another rank's writer of the same cohort, which adds it to its own.
  void pack(Packer& packer) const;
  void unpack(Unpacker& unpacker);

  // Durably, into `directory` (made if need be). Does nothing without scores of kept cases; one
  // case is both best and worst and is written once, as best. Throws DataError.
  void write(FileSystem& files, const Path& directory, const std::vector<CaseScore>& scores) const;

 private:
  struct Kept {
    std::int64_t slice = 0;
    std::vector<std::uint8_t> truth;                                    // H x W
    std::map<data::SubsetMask, std::vector<std::uint8_t>> predictions;  // H x W each
  };

  void write_case(FileSystem& files, const Path& path, int case_index,
                  const std::vector<CaseScore>& scores) const;

  const data::Cohort& cohort_;
  std::vector<data::SubsetMask> shown_;
  std::map<int, Kept> kept_;  // by case index
};

}  // namespace lacuna::evaluation

// Makes one training sample: crop, normalisation and augmentation of a case.
//
// make() is a pure function of (recipe, case, seed, index); the object holds working memory only.
// Thread-safety: one object per thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/augment/augmentation.h"
#include "data/augment/resample.h"
#include "data/cache/case_file.h"
#include "data/sampling/crop.h"
#include "data/sampling/normalise.h"
#include "data/types/recipe.h"

namespace lacuna::data {

// What is wrong with a case's map for a recipe that asks for it, as text; null: nothing.
std::optional<std::string> label_map_problem(const CaseFile& file, const LabelMapUse& use);

class SampleMaker {
 public:
  explicit SampleMaker(const DataRecipe& recipe, int modalities);

  // Fills image (modalities x patch; 0 where the case lacks a modality) and label (patch), and
  // says where the crop was taken. `maps`: a buffer (modalities x patch) for each label map of the
  // recipe that the case is asked for; null pointers and none at all are passed over. Throws
  // DataError naming the case when a map has more classes than the recipe says.
  Crop make(const CaseFile& file, std::uint64_t seed, std::uint64_t index, float* image,
            std::uint8_t* label, std::span<std::uint8_t* const> maps = {});

 private:
  void clear_absent(SubsetMask available, float* image) const;
  void read_mirrored(const CaseFile& file, const Crop& crop, const std::array<bool, 3>& mirror,
                     float* image, std::uint8_t* label);
  void read_source(const CaseFile& file, const Crop& crop, const std::array<bool, 3>& mirror);
  // Normalises slices begin .. begin + count of a modality to row_at(d, h), d and h of the crop.
  template <typename RowAt>
  void read_image(const CaseFile& file, int modality, const Crop& crop, std::int64_t begin,
                  std::int64_t count, bool reversed, const RowAt& row_at);
  // use(d, h, row) for each row of what read(corner, extent, out) gives: the label, or a label map.
  template <typename Read, typename Use>
  void for_each_label_row(const CaseFile& file, const Crop& crop, const Read& read, const Use& use);
  // From rows of the crop to a mirrored patch, or to a source for resampling.
  template <typename Read>
  void copy_labels(const CaseFile& file, const Crop& crop, const std::array<bool, 3>& mirror,
                   const Read& read, std::uint8_t* label);
  template <typename Read>
  void read_labels(const CaseFile& file, const Crop& crop, const std::array<bool, 3>& mirror,
                   const Read& read, ResampleSource& source);

  DataRecipe recipe_;
  int modalities_;
  std::vector<float> slab_, scratch_;
  std::vector<std::uint8_t> label_slab_, label_row_;
  ResampleSource source_, map_source_;
};

}  // namespace lacuna::data

// What happens to one training sample: every transform of an AugmentationRecipe with its drawn
// parameters, and their application to a patch.
//
// Draws are pure functions of (recipe, seed, index). Each transform has a stream of its own, so
// switching one off leaves the others as they were. Mirroring comes last in the recipe; it is done
// while the crop is read, which is the same up to the mirror image of the random fields.
// Thread-safety: pure functions; a Scratch belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/augment/augment_spatial.h"
#include "data/augment/normal_field.h"
#include "data/types/modality.h"
#include "data/types/recipe.h"

namespace lacuna::data {

// Values at which a transform does nothing.
struct ChannelChange {
  double blur_sigma = 0;
  float gain = 1, offset = 0;
  float contrast = 1;
  double low_resolution_zoom = 1;
  float gamma = 1;
};

struct AugmentationDraw {
  SpatialChange spatial;
  std::array<double, 3> stretch{1, 1, 1};  // of each axis: the crop is smaller by as much
  float noise_deviation = 0;
  float common_offset = 0;
  bool slices = false;  // gain and offset per slice: their values are drawn when they are applied
  int slice_axis = 0;
  Range slice_gain{1, 1}, slice_offset{0, 0};
  std::vector<ChannelChange> channels;
  std::array<bool, 3> mirror{};
};

AugmentationDraw draw_augmentation(const AugmentationRecipe& recipe, int channels,
                                   std::uint64_t seed, std::uint64_t index);

// The displacement field that belongs to a draw with elastic deformation.
ElasticField elastic_field(const AugmentationDraw& draw, const Extent& patch, std::uint64_t seed,
                           std::uint64_t index);

// Noise, blur, gain, offset, those of slices, the common offset, contrast, low resolution and
// gamma, in this order, in place on the channels in `present`. image: channels x D x H x W.
void apply_intensity(const AugmentationDraw& draw, SubsetMask present, const Extent& patch,
                     std::uint64_t seed, std::uint64_t index, float* image,
                     std::vector<float>& scratch);

// The recipe of the ShaSpec code base (its card, section 5), which several methods train with.
AugmentationRecipe heavy_augmentation();

// Each axis flipped with probability 1/2, nothing else.
AugmentationRecipe mirror_augmentation();

}  // namespace lacuna::data

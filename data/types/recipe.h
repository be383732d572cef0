// How training samples are made: crop, normalisation, augmentation. A method's card decides; a run
// may override patch and augmentation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/types/extent.h"

namespace lacuna::data {

// What becomes of background voxels (IntensityStatistics::background): DataRecipe::background.
enum class Normalisation {
  kCappedZScore,   // clip at `cap`, subtract capped_mean, divide by capped_deviation, != background
  kZScore,         // the same without clipping
  kMinMax,         // (x - min) / (max - min)
  kPercentile,     // clip to the 1st and 99th percentile, then min-max
  kTrimmedZScore,  // z-score by the voxels strictly between the 1st and 99th percentile, no
                   // clipping
};

// Background voxels inside the brain box. Those outside it are 0 in either case, and so is a
// modality that the case lacks: evaluation knows the box by that.
enum class Background {
  kZero,        // exactly 0
  kNormalised,  // mapped like every other voxel: -mean / deviation after a z-score
};

struct Range {
  double low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

struct WholeRange {
  int low = 0, high = 0;  // both may be drawn
  bool operator==(const WholeRange&) const = default;
};

// Where a crop lies in the FULL volume.
struct CropRecipe {
  // With this probability the crop is centred on a uniform voxel of a uniformly chosen class of
  // `centre_regions` (indices into Cohort::regions); an empty class falls through to random.
  double centred_probability = 0;
  std::vector<int> centre_regions;
  Extent margin{};               // random corners keep this distance to both borders, voxels
  double scale_probability = 0;  // crop extent times U(scale), resized back to the patch
  Range scale{1, 1};
  bool exclude_last = false;  // the last random corner of an axis is never drawn (published code)
  // Crops lie in the brain box, and so do the windows of evaluation; a box that is smaller than the
  // patch grows into the volume (grown_box() in data/sampling/crop.h).
  bool inside_box = false;
};

// Probabilities are per sample unless said otherwise; 0 switches a transform off. Applied in the
// order of the fields (ShaSpec card, section 5).
struct AugmentationRecipe {
  double elastic_probability = 0;
  Range elastic_alpha{0, 900}, elastic_sigma{9, 13};  // voxels
  double rotation_probability = 0;
  Range rotation_degrees{-15, 15};  // each of 3 axes
  double zoom_probability = 0;
  Range zoom_out{0.85, 1}, zoom_in{1, 1.25};  // either half the time
  // Each axis is stretched by a factor of its own, always; {1, 1}: off. Read from a crop that is
  // smaller or larger by as much, labels by the nearest voxel.
  Range zoom_each_axis{1, 1};
  bool cubic = false;  // image interpolation; else linear
  // A turn by a whole angle in one plane of the three, always; {0, 0}: off. Both image and label by
  // the nearest voxel; what comes from outside the crop is `plane_turn_fill`, and background.
  WholeRange plane_turn_degrees;
  float plane_turn_fill = -1;
  double noise_probability = 0;
  Range noise_deviation{0, 0.1};  // one value for all channels
  double blur_probability = 0, blur_channel_probability = 0.5;
  Range blur_sigma{0.5, 1};  // voxels
  double gain_probability = 0;
  Range gain{0.75, 1.25};  // per channel
  double offset_probability = 0, offset_channel_probability = 0.5;
  double offset_deviation = 0.1;
  // v * gain + offset with one value of each for every index of `slice_axis` and every channel,
  // always; {1, 1} and {0, 0}: off.
  Range slice_gain{1, 1}, slice_offset{0, 0};
  int slice_axis = 0;
  Range common_offset{0, 0};  // v + offset, one value for all channels, always; {0, 0}: off
  double contrast_probability = 0;
  Range contrast_down{0.75, 1}, contrast_up{1, 1.25};  // per channel, about its mean, range kept
  double low_resolution_probability = 0, low_resolution_channel_probability = 0.5;
  Range low_resolution_zoom{0.5, 1};  // nearest down, cubic up
  double gamma_probability = 0;
  Range gamma_down{0.7, 1}, gamma_up{1, 1.5};  // per channel, statistics kept
  std::array<double, 3> mirror_probability{};  // D, H, W
};

// The order in which the axes of a volume are taken.
using Axes = std::array<std::int64_t, 3>;
inline constexpr Axes kVolumeAxes{0, 1, 2};

// `values` belong to the axes of the network; the result to those of the volume.
template <typename T>
std::array<T, 3> to_volume_order(const std::array<T, 3>& values, const Axes& axes) {
  std::array<T, 3> result{};
  for (std::size_t i = 0; i < 3; ++i) result[static_cast<std::size_t>(axes[i])] = values[i];
  return result;
}
template <typename T>
std::array<T, 3> to_network_order(const std::array<T, 3>& values, const Axes& axes) {
  std::array<T, 3> result{};
  for (std::size_t i = 0; i < 3; ++i) result[i] = values[static_cast<std::size_t>(axes[i])];
  return result;
}

// Label maps of a case beside its label, one per modality (a tool's proposals, other raters).
inline constexpr std::uint8_t kNoLabelMap = 255;

struct LabelMapUse {
  std::string name;  // as `lacuna ingest --extra NAME=DIRECTORY` stored it
  int classes = 2;   // its values are 0 .. classes - 1; a map with others is an error
};

struct DataRecipe {
  Extent patch{80, 160, 160};
  Normalisation normalisation = Normalisation::kZScore;
  Background background = Background::kZero;
  CropRecipe crop;
  AugmentationRecipe augmentation;
  // Come with each sample as Batch::extras[name], N x M x D x H x W uint8, cropped, turned and
  // mirrored like the label; kNoLabelMap everywhere in a sample whose case has none.
  std::vector<LabelMapUse> label_maps;
  // A capped z-score that clips at the index of a histogram bin, as published, though it be far
  // from the images' scale (images in [0, 1]); else at the bin's upper edge in such a case.
  bool published_cap = false;
  int draws = 1;  // subsets drawn per sample (2 for mutual learning or consistency)
  // Axis i of the network's tensors is axis axes[i] of the volume (D, H, W), for networks published
  // in another order of axes. Everything that a method states or sees is in its own order.
  Axes axes = kVolumeAxes;
};

// The recipe for those who work on volumes; `axes` stays, for who hands the samples on.
inline DataRecipe in_volume_order(DataRecipe recipe) {
  recipe.patch = to_volume_order(recipe.patch, recipe.axes);
  recipe.crop.margin = to_volume_order(recipe.crop.margin, recipe.axes);
  recipe.augmentation.mirror_probability =
      to_volume_order(recipe.augmentation.mirror_probability, recipe.axes);
  int& slices = recipe.augmentation.slice_axis;
  slices = static_cast<int>(recipe.axes[static_cast<std::size_t>(slices)]);
  return recipe;
}

}  // namespace lacuna::data

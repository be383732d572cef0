// How training samples are made: crop, normalisation, augmentation. A method's card decides; a run
// may override patch and augmentation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/types/extent.h"

namespace lacuna::data {

// Background voxels (IntensityStatistics::background) stay 0 in each.
enum class Normalisation {
  kCappedZScore,  // clip at `cap`, subtract capped_mean, divide by capped_deviation, != background
  kZScore,        // the same without clipping
  kMinMax,        // (x - min) / (max - min)
  kPercentile,    // clip to the 1st and 99th percentile, then min-max
};

struct Range {
  double low = 0, high = 0;
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
  bool cubic = false;                         // image interpolation; else linear
  double noise_probability = 0;
  Range noise_deviation{0, 0.1};  // one value for all channels
  double blur_probability = 0, blur_channel_probability = 0.5;
  Range blur_sigma{0.5, 1};  // voxels
  double gain_probability = 0;
  Range gain{0.75, 1.25};  // per channel
  double offset_probability = 0, offset_channel_probability = 0.5;
  double offset_deviation = 0.1;
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

struct DataRecipe {
  Extent patch{80, 160, 160};
  Normalisation normalisation = Normalisation::kZScore;
  CropRecipe crop;
  AugmentationRecipe augmentation;
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
  return recipe;
}

}  // namespace lacuna::data

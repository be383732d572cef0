#include "data/augment/augmentation.h"

#include <cstddef>
#include <numbers>

#include "base/random.h"
#include "data/augment/augment_blur.h"
#include "data/augment/augment_intensity.h"
#include "data/augment/augment_low_resolution.h"

namespace lacuna::data {
namespace {

// Sub-indices of the streams and fields of one sample. Runs in progress depend on them: do not
// renumber.
enum Sub : std::uint32_t {
  kElastic = 1,
  kRotation,
  kZoom,
  kNoise,
  kBlur,
  kGain,
  kOffset,
  kContrast,
  kLowResolution,
  kGamma,
  kMirror,
  kElasticField = 16,  // and the next two
  kNoiseField = 32,    // plus the channel
};

double draw(Stream& stream, const Range& range) { return stream.uniform(range.low, range.high); }

// Either range half the time.
double draw_either(Stream& stream, const Range& down, const Range& up) {
  return stream.chance(0.5) ? draw(stream, down) : draw(stream, up);
}

SpatialChange draw_spatial(const AugmentationRecipe& recipe, std::uint64_t seed,
                           std::uint64_t index) {
  SpatialChange change;
  Stream elastic(seed, Purpose::kAugment, index, kElastic);
  if (elastic.chance(recipe.elastic_probability)) {
    change.elastic_alpha = draw(elastic, recipe.elastic_alpha);
    change.elastic_sigma = draw(elastic, recipe.elastic_sigma);
  }
  Stream rotation(seed, Purpose::kAugment, index, kRotation);
  if (rotation.chance(recipe.rotation_probability)) {
    for (double& angle : change.radians) {
      angle = draw(rotation, recipe.rotation_degrees) * std::numbers::pi / 180;
    }
  }
  Stream zoom(seed, Purpose::kAugment, index, kZoom);
  if (zoom.chance(recipe.zoom_probability)) {
    change.zoom = draw_either(zoom, recipe.zoom_out, recipe.zoom_in);
  }
  return change;
}

}  // namespace

AugmentationDraw draw_augmentation(const AugmentationRecipe& recipe, int channels,
                                   std::uint64_t seed, std::uint64_t index) {
  AugmentationDraw drawn;
  drawn.spatial = draw_spatial(recipe, seed, index);
  drawn.channels.resize(static_cast<std::size_t>(channels));
  const auto stream = [&](Sub sub) { return Stream(seed, Purpose::kAugment, index, sub); };

  Stream noise = stream(kNoise);
  if (noise.chance(recipe.noise_probability)) {
    drawn.noise_deviation = static_cast<float>(draw(noise, recipe.noise_deviation));
  }
  // Calls set(stream, channel) for each channel when the transform happens at all.
  const auto per_channel = [&](Sub sub, double probability, auto set) {
    Stream own = stream(sub);
    if (!own.chance(probability)) return;
    for (ChannelChange& channel : drawn.channels) set(own, channel);
  };
  per_channel(kBlur, recipe.blur_probability, [&](Stream& own, ChannelChange& channel) {
    if (!own.chance(recipe.blur_channel_probability)) return;
    channel.blur_sigma = draw(own, recipe.blur_sigma);
  });
  per_channel(kGain, recipe.gain_probability, [&](Stream& own, ChannelChange& channel) {
    channel.gain = static_cast<float>(draw(own, recipe.gain));
  });
  per_channel(kOffset, recipe.offset_probability, [&](Stream& own, ChannelChange& channel) {
    if (!own.chance(recipe.offset_channel_probability)) return;
    channel.offset = static_cast<float>(recipe.offset_deviation * own.normal());
  });
  per_channel(kContrast, recipe.contrast_probability, [&](Stream& own, ChannelChange& channel) {
    channel.contrast =
        static_cast<float>(draw_either(own, recipe.contrast_down, recipe.contrast_up));
  });
  per_channel(kLowResolution, recipe.low_resolution_probability,
              [&](Stream& own, ChannelChange& channel) {
                if (!own.chance(recipe.low_resolution_channel_probability)) return;
                channel.low_resolution_zoom = draw(own, recipe.low_resolution_zoom);
              });
  per_channel(kGamma, recipe.gamma_probability, [&](Stream& own, ChannelChange& channel) {
    channel.gamma = static_cast<float>(draw_either(own, recipe.gamma_down, recipe.gamma_up));
  });
  Stream mirror = stream(kMirror);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    drawn.mirror[axis] = mirror.chance(recipe.mirror_probability[axis]);
  }
  return drawn;
}

ElasticField elastic_field(const AugmentationDraw& drawn, const Extent& patch, std::uint64_t seed,
                           std::uint64_t index) {
  return {patch, drawn.spatial.elastic_alpha, drawn.spatial.elastic_sigma,
          FieldKey{seed, Purpose::kAugment, index, kElasticField}};
}

void apply_intensity(const AugmentationDraw& drawn, SubsetMask present, const Extent& patch,
                     std::uint64_t seed, std::uint64_t index, float* image,
                     std::vector<float>& scratch) {
  const auto voxels = static_cast<std::size_t>(patch[0] * patch[1] * patch[2]);
  for (std::size_t c = 0; c < drawn.channels.size(); ++c) {
    if (!contains(present, static_cast<int>(c))) continue;
    const ChannelChange& change = drawn.channels[c];
    float* values = image + c * voxels;
    if (drawn.noise_deviation != 0) {
      const auto sub = static_cast<std::uint32_t>(kNoiseField + c);
      add_normal_field({seed, Purpose::kAugment, index, sub}, drawn.noise_deviation, values,
                       voxels);
    }
    if (change.blur_sigma != 0) gaussian_blur(values, patch, change.blur_sigma, scratch);
    if (change.gain != 1 || change.offset != 0) {
      scale_and_shift(values, voxels, change.gain, change.offset);
    }
    if (change.contrast != 1) change_contrast(values, voxels, change.contrast);
    if (change.low_resolution_zoom != 1) {
      reduce_resolution(values, patch, change.low_resolution_zoom, scratch);
    }
    if (change.gamma != 1) change_gamma(values, voxels, change.gamma);
  }
}

AugmentationRecipe heavy_augmentation() {
  AugmentationRecipe recipe;  // the ranges are the card's already
  recipe.elastic_probability = recipe.rotation_probability = recipe.zoom_probability = 0.2;
  recipe.noise_probability = 0.1;
  recipe.blur_probability = 0.2;
  recipe.gain_probability = recipe.offset_probability = recipe.contrast_probability = 0.15;
  recipe.low_resolution_probability = 0.25;
  recipe.gamma_probability = 0.15;
  recipe.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

AugmentationRecipe mirror_augmentation() {
  AugmentationRecipe recipe;
  recipe.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

}  // namespace lacuna::data

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
  kPlaneTurn,
  kSlices,
  kCommonOffset,
  kStretch,
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

// `mirror`: crops are mirrored while they are read, published code mirrors last. A turn before the
// mirror is the opposite turn behind it, when one axis of its plane is mirrored.
void draw_plane_turn(const WholeRange& degrees, const std::array<bool, 3>& mirror, Stream stream,
                     SpatialChange& change) {
  if (degrees == WholeRange{}) return;
  change.turn_axis = stream.below(3);
  const auto angles = static_cast<std::uint64_t>(degrees.high - degrees.low + 1);
  const auto angle = degrees.low + static_cast<int>(stream.below(angles));
  bool opposite = false;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (axis != change.turn_axis && mirror[axis]) opposite = !opposite;
  }
  change.turn_radians = (opposite ? -angle : angle) * std::numbers::pi / 180;
}

// v * gain + offset, drawn for each index of an axis; `stream` has given the values of the channels
// before.
void change_slices(const AugmentationDraw& drawn, const Extent& patch, Stream& stream,
                   float* values, bool present) {
  const auto axis = static_cast<std::size_t>(drawn.slice_axis);
  const std::int64_t slices = patch[axis];
  std::int64_t outer = 1, inner = 1;  // extents before and behind the axis
  for (std::size_t a = 0; a < axis; ++a) outer *= patch[a];
  for (std::size_t a = axis + 1; a < 3; ++a) inner *= patch[a];
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    const auto gain = static_cast<float>(draw(stream, drawn.slice_gain));
    const auto offset = static_cast<float>(draw(stream, drawn.slice_offset));
    if (!present) continue;
    for (std::int64_t o = 0; o < outer; ++o) {
      scale_and_shift(values + (o * slices + slice) * inner, static_cast<std::size_t>(inner), gain,
                      offset);
    }
  }
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
  drawn.slices = recipe.slice_gain != Range{1, 1} || recipe.slice_offset != Range{0, 0};
  drawn.slice_axis = recipe.slice_axis;
  drawn.slice_gain = recipe.slice_gain;
  drawn.slice_offset = recipe.slice_offset;
  if (recipe.common_offset != Range{0, 0}) {
    Stream common = stream(kCommonOffset);
    drawn.common_offset = static_cast<float>(draw(common, recipe.common_offset));
  }
  if (recipe.zoom_each_axis != Range{1, 1}) {
    Stream stretch = stream(kStretch);
    for (double& factor : drawn.stretch) factor = draw(stretch, recipe.zoom_each_axis);
  }
  Stream mirror = stream(kMirror);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    drawn.mirror[axis] = mirror.chance(recipe.mirror_probability[axis]);
  }
  draw_plane_turn(recipe.plane_turn_degrees, drawn.mirror, stream(kPlaneTurn), drawn.spatial);
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
  Stream slices(seed, Purpose::kAugment, index, kSlices);
  for (std::size_t c = 0; c < drawn.channels.size(); ++c) {
    float* values = image + c * voxels;
    if (!contains(present, static_cast<int>(c))) {
      // The values of a channel depend on no other channel's being there.
      if (drawn.slices) change_slices(drawn, patch, slices, values, false);
      continue;
    }
    const ChannelChange& change = drawn.channels[c];
    if (drawn.noise_deviation != 0) {
      const auto sub = static_cast<std::uint32_t>(kNoiseField + c);
      add_normal_field({seed, Purpose::kAugment, index, sub}, drawn.noise_deviation, values,
                       voxels);
    }
    if (change.blur_sigma != 0) gaussian_blur(values, patch, change.blur_sigma, scratch);
    if (change.gain != 1 || change.offset != 0) {
      scale_and_shift(values, voxels, change.gain, change.offset);
    }
    if (drawn.slices) change_slices(drawn, patch, slices, values, true);
    if (drawn.common_offset != 0) scale_and_shift(values, voxels, 1, drawn.common_offset);
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

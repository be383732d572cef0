#include "evaluation/prediction/segment.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "data/sampling/crop.h"
#include "evaluation/prediction/rankseg.h"
#include "evaluation/prediction/sliding_window.h"
#include "evaluation/volumes/mask.h"
#include "methods/shared/extent_check.h"

namespace lacuna::evaluation {
namespace {

using data::Extent;
using data::SubsetMask;
using methods::InferenceRecipe;

// Voxels of output per channel that one decode() may make: bounds the memory of a decoder that
// works on several subsets at once.
constexpr std::int64_t kVoxelsPerDecode = std::int64_t{4} << 20;

// Evaluation mode for a scope.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module)
      : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~EvaluationMode() { module_.train(was_training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  torch::nn::Module& module_;
  const bool was_training_;
  const torch::NoGradGuard no_gradient_;
};

torch::Device device_of(torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return parameters.empty() ? torch::Device(torch::kCPU) : parameters.front().device();
}

// The part of the volume that windows tile: all of it, or the box of voxels that are not background
// (exactly 0 in every modality after normalisation), grown to `least` as crops are in training.
Box covered_box(const at::Tensor& image, bool whole_volume, const Extent& least) {
  const Extent extent{image.size(2), image.size(3), image.size(4)};
  if (whole_volume) return {{0, 0, 0}, extent};
  const at::Tensor brain = (image[0] != 0).any(0);
  Box box;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const at::Tensor line = brain.movedim(axis, 0).flatten(1).any(1).nonzero();
    if (line.numel() == 0) return {};
    const auto i = static_cast<std::size_t>(axis);
    const data::Interval grown =
        data::grown_box({line.min().item<std::int64_t>(), line.max().item<std::int64_t>() + 1},
                        least[i], extent[i]);
    box.corner[i] = grown.begin;
    box.extent[i] = grown.end - grown.begin;
  }
  return box;
}

at::Tensor activate(const InferenceRecipe& recipe, const at::Tensor& output) {
  if (!recipe.blend_probabilities) return output;
  return recipe.activation == InferenceRecipe::Activation::kSigmoid ? output.sigmoid()
                                                                    : output.softmax(1);
}

// Labels in the network's order of axes, back in the volume's.
std::vector<std::uint8_t> in_volume_order(std::vector<std::uint8_t>& labels, const Extent& extent,
                                          const data::Axes& axes) {
  if (axes == data::kVolumeAxes) return std::move(labels);
  const data::Axes back = data::to_volume_order(data::kVolumeAxes, axes);
  const at::Tensor turned = at::from_blob(labels.data(), extent, at::kByte).permute(back);
  const at::Tensor rows = turned.contiguous();
  const auto* begin = rows.const_data_ptr<std::uint8_t>();
  return {begin, begin + rows.numel()};
}

// Copies slices (s x d x H x W of T, or with channels in place of s) at depth `first` of the box
// into volumes on the full grid, volume i at `target(i)`.
template <typename T, typename Target>
void place(const at::Tensor& slices, const Box& box, std::int64_t first, const Extent& extent,
           const Target& target) {
  const at::Tensor host = slices.to(torch::kCPU).contiguous();
  const auto depth = host.size(1), height = host.size(2), width = host.size(3);
  const auto* source = host.const_data_ptr<T>();
  for (std::int64_t s = 0; s < host.size(0); ++s) {
    T* volume = target(s);
    for (std::int64_t d = 0; d < depth && first + d < box.extent[0]; ++d) {
      for (std::int64_t h = 0; h < box.extent[1]; ++h) {
        std::memcpy(volume +
                        ((box.corner[0] + first + d) * extent[1] + box.corner[1] + h) * extent[2] +
                        box.corner[2],
                    source + ((s * depth + d) * height + h) * width,
                    static_cast<std::size_t>(box.extent[2]) * sizeof(T));
      }
    }
  }
}

// Axes of N x C x D x H x W that flip number `flip` (0 to 7) turns round.
std::vector<std::int64_t> flipped_axes(int flip) {
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < 3; ++axis) {
    if (flip >> axis & 1) axes.push_back(axis + 2);
  }
  return axes;
}

std::int64_t channels_of(const InferenceRecipe& recipe) {
  int last = 0;
  for (const auto& each : recipe.channels) last = std::max(last, each.channel);
  return last + 1;
}

// Bit t for each Tissue t that a channel writes.
std::uint32_t written(const InferenceRecipe& recipe) {
  std::uint32_t tissues = 0;
  for (const auto& each : recipe.channels) tissues |= 1u << static_cast<unsigned>(each.tissue);
  return tissues;
}

// The labels that RankSEG decodes from C x D x H x W probabilities.
void decode_by_rank(const InferenceRecipe& recipe, const at::Tensor& probabilities,
                    std::vector<std::uint8_t>& labels) {
  for (const auto& [channel, tissue] : recipe.channels) {
    const at::Tensor p = probabilities[channel].contiguous();
    const auto mask =
        decode_rankseg({p.const_data_ptr<float>(), static_cast<std::size_t>(p.numel())});
    for (std::size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0) labels[i] = static_cast<std::uint8_t>(tissue);
    }
  }
}

}  // namespace

std::optional<Box> scored_box(const methods::Method& method, const Extent& extent,
                              const std::optional<Extent>& own_patch) {
  const InferenceRecipe recipe = method.inference();
  if (!recipe.centre_crop) return std::nullopt;
  const Extent patch =
      data::to_volume_order(own_patch.value_or(recipe.patch), method.recipe().axes);
  Box box;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.corner[axis] = std::max<std::int64_t>(0, (extent[axis] - patch[axis] - 1) / 2);
    box.extent[axis] = std::min(extent[axis], patch[axis]);
  }
  return box;
}

namespace {

// One pass over the volume for as many subsets as fit; labels in the volume's order.
class Segmentation {
 public:
  Segmentation(methods::Method& method, const at::Tensor& case_image, const SegmentOptions& options)
      : method_(method),
        options_(options),
        mode_(method.module()),
        recipe_(method.inference()),
        patch_(options.patch.value_or(recipe_.patch)),
        device_(device_of(method.module())),
        axes_(method.recipe().axes) {
    methods::require_extent(patch_, method.extent_multiple(), "window");
    if (options.rankseg && recipe_.activation != InferenceRecipe::Activation::kSigmoid) {
      throw_error<ConfigError>(
          "RankSEG decodes outputs of one probability per "
          "region (sigmoid); this method's are "
          "softmax over tissues");
    }
    const at::Tensor image =
        axes_ == data::kVolumeAxes
            ? case_image
            : case_image.permute({0, 1, axes_[0] + 2, axes_[1] + 2, axes_[2] + 2});
    extent_ = {image.size(2), image.size(3), image.size(4)};
    const auto centre = scored_box(method, data::to_volume_order(extent_, axes_), options.patch);
    box_ = centre ? Box{data::to_network_order(centre->corner, axes_),
                        data::to_network_order(centre->extent, axes_)}
                  : covered_box(image, recipe_.whole_volume,
                                method.recipe().crop.inside_box ? patch_ : Extent{});
    if (box_.empty()) return;
    volume_ = image;
    std::vector<std::int64_t> padding(6);  // last axis first
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      const auto i = static_cast<std::size_t>(axis);
      volume_ = volume_.narrow(axis + 2, box_.corner[i], box_.extent[i]);
      padding[5 - 2 * i] = std::max<std::int64_t>(0, patch_[i] - box_.extent[i]);
    }
    volume_ = at::constant_pad_nd(volume_, padding);
  }

  bool wants_probabilities() const { return options_.rankseg || options_.probabilities; }
  std::int64_t voxels() const { return extent_[0] * extent_[1] * extent_[2]; }
  std::int64_t channels() const { return channels_of(recipe_); }

  std::vector<std::vector<std::uint8_t>> run(const std::vector<SubsetMask>& subsets,
                                             std::size_t first_subset) {
    const auto number = static_cast<std::int64_t>(subsets.size());
    std::vector<std::vector<std::uint8_t>> results(
        subsets.size(), std::vector<std::uint8_t>(static_cast<std::size_t>(voxels())));
    at::Tensor probabilities;  // S x C x D x H x W
    if (wants_probabilities()) {
      probabilities = torch::zeros({number, channels(), extent_[0], extent_[1], extent_[2]});
    }
    if (!box_.empty()) blend(subsets, results, probabilities);
    for (std::size_t s = 0; s < results.size(); ++s) {
      at::Tensor p;
      if (wants_probabilities()) {
        p = probabilities[static_cast<std::int64_t>(s)];
        if (axes_ != data::kVolumeAxes) {
          const data::Axes back = data::to_volume_order(data::kVolumeAxes, axes_);
          p = p.permute({0, back[0] + 1, back[1] + 1, back[2] + 1}).contiguous();
        }
      }
      if (options_.rankseg) {
        decode_by_rank(recipe_, p, results[s]);
        relabel(recipe_, results[s]);
      } else {
        relabel(recipe_, results[s]);
        results[s] = in_volume_order(results[s], extent_, axes_);
      }
      if (options_.probabilities) options_.probabilities(first_subset + s, p);
    }
    return results;
  }

 private:
  void blend(const std::vector<SubsetMask>& subsets,
             std::vector<std::vector<std::uint8_t>>& results, const at::Tensor& probabilities) {
    const auto number = static_cast<std::int64_t>(subsets.size());
    const auto starts = [&](std::size_t axis) {
      return window_starts(volume_.size(static_cast<std::int64_t>(axis) + 2), patch_[axis],
                           recipe_.overlap);
    };
    const auto d_starts = starts(0), h_starts = starts(1), w_starts = starts(2);
    WindowBlender blender(number, patch_, {volume_.size(3), volume_.size(4)},
                          window_weights(recipe_.window, patch_).to(device_));
    for (std::size_t i = 0; i < d_starts.size(); ++i) {
      for (const std::int64_t h : h_starts) {
        for (const std::int64_t w : w_starts) {
          add_window(subsets, d_starts[i], h, w, blender);
          blender.count_window(h, w);
        }
      }
      const bool last = i + 1 == d_starts.size();
      const std::int64_t slices = last ? patch_[0] : d_starts[i + 1] - d_starts[i];
      blender.take(slices, [&](const at::Tensor& means, std::int64_t first) {
        use(means, d_starts[i] + first, results, probabilities);
      });
    }
  }

  void add_window(const std::vector<SubsetMask>& subsets, std::int64_t d, std::int64_t h,
                  std::int64_t w, WindowBlender& blender) {
    const auto number = static_cast<std::int64_t>(subsets.size());
    const std::int64_t at_once =
        std::clamp<std::int64_t>(kVoxelsPerDecode / (patch_[0] * patch_[1] * patch_[2]), 1, number);
    const at::Tensor window = volume_.narrow(2, d, patch_[0])
                                  .narrow(3, h, patch_[1])
                                  .narrow(4, w, patch_[2])
                                  .to(device_)
                                  .contiguous();
    methods::WindowPlace place{.corner_in_box = {d, h, w}};
    for (std::size_t i = 0; i < 3; ++i) place.corner[i] = box_.corner[i] + place.corner_in_box[i];
    const int flips = options_.mirrored ? 8 : 1;
    for (int flip = 0; flip < flips; ++flip) {
      const auto axes = flipped_axes(flip);
      for (int axis = 0; axis < 3; ++axis) {
        place.mirrored[static_cast<std::size_t>(axis)] = (flip >> axis & 1) != 0;
      }
      const methods::Features features =
          method_.encode_at(axes.empty() ? window : window.flip(axes).contiguous(), place);
      for (std::int64_t first = 0; first < number; first += at_once) {
        const auto end = std::min(number, first + at_once);
        const at::Tensor output =
            method_.decode(features, {subsets.begin() + first, subsets.begin() + end});
        at::Tensor values = activate(recipe_, output.select(1, 0).to(torch::kFloat32));
        if (!axes.empty()) values = values.flip(axes);
        if (flips > 1) values = values / flips;
        blender.add(first, h, w, values);
        if (options_.alive) options_.alive();
      }
    }
  }

  // Blended slices from depth `first` of the box on.
  void use(const at::Tensor& means, std::int64_t first,
           std::vector<std::vector<std::uint8_t>>& results, const at::Tensor& probabilities) {
    if (!options_.rankseg) {
      place<std::uint8_t>(
          compose_labels(recipe_, means), box_, first, extent_,
          [&](std::int64_t s) { return results[static_cast<std::size_t>(s)].data(); });
    }
    if (!wants_probabilities()) return;
    const bool sigmoid = recipe_.activation == InferenceRecipe::Activation::kSigmoid;
    const at::Tensor p = recipe_.blend_probabilities ? means
                         : sigmoid                   ? means.sigmoid()
                                                     : means.softmax(1);
    const at::Tensor flat = p.narrow(1, 0, channels()).flatten(0, 1);  // (S C) x d x H x W
    float* volumes = probabilities.data_ptr<float>();
    place<float>(flat, box_, first, extent_,
                 [&](std::int64_t i) { return volumes + i * voxels(); });
  }

  methods::Method& method_;
  const SegmentOptions& options_;
  const EvaluationMode mode_;
  const InferenceRecipe recipe_;
  const Extent patch_;
  const torch::Device device_;
  const data::Axes axes_;
  Extent extent_{};    // in the network's order of axes
  Box box_;            // what windows tile
  at::Tensor volume_;  // the box, padded
};

// Probabilities of whole volumes that are held at a time.
constexpr std::int64_t kProbabilityBytes = std::int64_t{1} << 30;

}  // namespace

std::vector<std::vector<std::uint8_t>> segment_subsets(methods::Method& method,
                                                       const at::Tensor& image,
                                                       const std::vector<SubsetMask>& subsets,
                                                       const SegmentOptions& options) {
  Segmentation segmentation(method, image, options);
  if (subsets.empty()) return {};
  const auto number = static_cast<std::int64_t>(subsets.size());
  std::int64_t at_once = number;
  if (segmentation.wants_probabilities()) {
    const std::int64_t each =
        segmentation.channels() * segmentation.voxels() * static_cast<std::int64_t>(sizeof(float));
    at_once = std::clamp<std::int64_t>(kProbabilityBytes / each, 1, number);
  }
  std::vector<std::vector<std::uint8_t>> results;
  for (std::int64_t first = 0; first < number; first += at_once) {
    const auto end = std::min(number, first + at_once);
    auto part = segmentation.run({subsets.begin() + first, subsets.begin() + end},
                                 static_cast<std::size_t>(first));
    std::move(part.begin(), part.end(), std::back_inserter(results));
  }
  return results;
}

std::vector<std::vector<std::uint8_t>> segment_subsets(methods::Method& method,
                                                       const at::Tensor& image,
                                                       const std::vector<SubsetMask>& subsets,
                                                       const std::optional<Extent>& patch) {
  SegmentOptions options;
  options.patch = patch;
  return segment_subsets(method, image, subsets, options);
}

std::uint32_t predicted_tissues(const methods::Method& method) {
  const InferenceRecipe recipe = method.inference();
  std::uint32_t tissues = written(recipe);
  for (const auto& each : recipe.relabelled) {
    tissues |= 1u << static_cast<unsigned>(each.replacement);
  }
  return tissues & ~1u;
}

at::Tensor region_probability(const InferenceRecipe& recipe, const data::Region& region,
                              const at::Tensor& probabilities) {
  if (recipe.activation == InferenceRecipe::Activation::kSoftmax) {
    at::Tensor sum;
    for (const auto& each : recipe.channels) {
      if (!data::contains(region, static_cast<std::uint8_t>(each.tissue))) continue;
      const at::Tensor p = probabilities[each.channel];
      sum = sum.defined() ? sum + p : p;
    }
    return sum;
  }
  for (std::size_t i = 0; i < recipe.channels.size(); ++i) {
    if (!data::contains(region, static_cast<std::uint8_t>(recipe.channels[i].tissue))) continue;
    std::uint32_t inside = 0;  // what this channel and later ones write
    for (std::size_t j = i; j < recipe.channels.size(); ++j) {
      inside |= 1u << static_cast<unsigned>(recipe.channels[j].tissue);
    }
    // The first channel of the region's tissues is its own, provided that the rest lies inside.
    return (region.tissues & ~inside & written(recipe)) == 0
               ? probabilities[recipe.channels[i].channel]
               : at::Tensor();
  }
  return {};
}

}  // namespace lacuna::evaluation

#include "evaluation/prediction/segment.h"

#include <algorithm>
#include <cstring>

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "data/sampling/crop.h"
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

// Copies slices (S x d x H x W) at depth `first` of the box into the full-grid results.
void place(const at::Tensor& labels, const Box& box, std::int64_t first, const Extent& extent,
           std::vector<std::vector<std::uint8_t>>& results) {
  const at::Tensor host = labels.to(torch::kCPU).contiguous();
  const auto height = labels.size(2), width = labels.size(3);
  for (std::int64_t s = 0; s < labels.size(0); ++s) {
    for (std::int64_t d = 0; d < labels.size(1) && first + d < box.extent[0]; ++d) {
      for (std::int64_t h = 0; h < box.extent[1]; ++h) {
        const auto* row =
            host.const_data_ptr<std::uint8_t>() + ((s * labels.size(1) + d) * height + h) * width;
        auto* target = results[static_cast<std::size_t>(s)].data() +
                       ((box.corner[0] + first + d) * extent[1] + box.corner[1] + h) * extent[2] +
                       box.corner[2];
        std::memcpy(target, row, static_cast<std::size_t>(box.extent[2]));
      }
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

std::vector<std::vector<std::uint8_t>> segment_subsets(methods::Method& method,
                                                       const at::Tensor& case_image,
                                                       const std::vector<SubsetMask>& subsets,
                                                       const std::optional<Extent>& own_patch) {
  const EvaluationMode mode(method.module());
  const InferenceRecipe recipe = method.inference();
  const data::DataRecipe data_recipe = method.recipe();
  const Extent patch = own_patch.value_or(recipe.patch);
  methods::require_extent(patch, method.extent_multiple(), "window");
  const torch::Device device = device_of(method.module());
  const data::Axes axes = data_recipe.axes;
  const at::Tensor image = case_image.permute({0, 1, axes[0] + 2, axes[1] + 2, axes[2] + 2});
  const Extent extent{image.size(2), image.size(3), image.size(4)};
  std::vector<std::vector<std::uint8_t>> results(
      subsets.size(),
      std::vector<std::uint8_t>(static_cast<std::size_t>(extent[0] * extent[1] * extent[2])));
  const auto centre = scored_box(method, data::to_volume_order(extent, axes), own_patch);
  const Box box = centre ? Box{data::to_network_order(centre->corner, axes),
                               data::to_network_order(centre->extent, axes)}
                         : covered_box(image, recipe.whole_volume,
                                       data_recipe.crop.inside_box ? patch : Extent{});
  if (box.empty() || subsets.empty()) return results;

  at::Tensor volume = image;
  std::vector<std::int64_t> padding(6);  // last axis first
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    volume = volume.narrow(axis + 2, box.corner[i], box.extent[i]);
    padding[5 - 2 * i] = std::max<std::int64_t>(0, patch[i] - box.extent[i]);
  }
  volume = at::constant_pad_nd(volume, padding);
  const auto starts = [&](std::size_t axis) {
    return window_starts(volume.size(static_cast<std::int64_t>(axis) + 2), patch[axis],
                         recipe.overlap);
  };
  const auto d_starts = starts(0), h_starts = starts(1), w_starts = starts(2);
  const auto number = static_cast<std::int64_t>(subsets.size());
  const std::int64_t at_once =
      std::clamp<std::int64_t>(kVoxelsPerDecode / (patch[0] * patch[1] * patch[2]), 1, number);
  WindowBlender blender(number, patch, {volume.size(3), volume.size(4)},
                        window_weights(recipe.window, patch).to(device));

  for (std::size_t i = 0; i < d_starts.size(); ++i) {
    for (const std::int64_t h : h_starts) {
      for (const std::int64_t w : w_starts) {
        const at::Tensor window = volume.narrow(2, d_starts[i], patch[0])
                                      .narrow(3, h, patch[1])
                                      .narrow(4, w, patch[2])
                                      .to(device)
                                      .contiguous();
        const methods::Features features = method.encode(window);
        for (std::int64_t first = 0; first < number; first += at_once) {
          const auto end = std::min(number, first + at_once);
          const at::Tensor output =
              method.decode(features, {subsets.begin() + first, subsets.begin() + end});
          blender.add(first, h, w, activate(recipe, output.select(1, 0).to(torch::kFloat32)));
        }
        blender.count_window(h, w);
      }
    }
    const bool last = i + 1 == d_starts.size();
    const std::int64_t slices = last ? patch[0] : d_starts[i + 1] - d_starts[i];
    place(compose_labels(recipe, blender.take(slices)), box, d_starts[i], extent, results);
  }
  for (auto& labels : results) {
    relabel(recipe, labels);
    labels = in_volume_order(labels, extent, axes);
  }
  return results;
}

}  // namespace lacuna::evaluation

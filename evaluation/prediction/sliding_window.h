// Windows that tile a volume, and the blending of what a network says in each of them.
//
// Layout (ShaSpec's published code): stride = ceil((1 - overlap) * patch); windows start at
// multiples of it and the last one is pulled back to the border. A volume smaller than the patch is
// padded with zeros at the end. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "methods/method.h"

namespace lacuna::evaluation {

// First voxel of each window along one axis, ascending. Windows reach beyond the end only when the
// extent is smaller than the patch.
std::vector<std::int64_t> window_starts(std::int64_t extent, std::int64_t patch, double overlap);

// Weight of each voxel of a window, D x H x W: 1, or a Gaussian with sigma = patch / 8 per axis
// whose maximum is 1.
at::Tensor window_weights(methods::InferenceRecipe::Window window, const data::Extent& patch);

// Weighted mean of the windows' values for several subsets, kept only for the D slices that windows
// still to come can reach: S x C x patch D x H x W floats, whatever the volume's depth.
class WindowBlender {
 public:
  // plane: H, W of the padded volume.
  WindowBlender(std::int64_t subsets, const data::Extent& patch,
                const std::array<std::int64_t, 2>& plane, const at::Tensor& weights);

  // Adds values (s x C x patch) of subsets [first, first + s) for the window whose corner lies at
  // (h, w) in the plane and at the first kept slice.
  void add(std::int64_t first, std::int64_t h, std::int64_t w, const at::Tensor& values);
  // All subsets of the window at (h, w) have been added.
  void count_window(std::int64_t h, std::int64_t w);

  // Calls use(means, first) for the first `slices` kept slices, in one or two pieces (S x C x d x H
  // x W, from slice `first` of them on), and drops them. A piece is a view of what is kept, divided
  // in place: it is valid during the call.
  void take(std::int64_t slices,
            const std::function<void(const at::Tensor& means, std::int64_t first)>& use);

 private:
  std::int64_t subsets_;
  data::Extent patch_;
  std::array<std::int64_t, 2> plane_;
  // Calls use(place in the ring, first slice, slices) for `slices` kept slices.
  template <typename Use>
  void for_each_piece(std::int64_t slices, const Use& use) const;

  at::Tensor weights_;
  // Rings along D: kept slice i lies at (head_ + i) mod patch D.
  at::Tensor sums_;   // S x C x patch D x H x W, made by the first add()
  at::Tensor total_;  // patch D x H x W: sum of the weights
  std::int64_t head_ = 0;
};

// Segmentation from blended values (S x C x D x H x W) as the recipe says: S x D x H x W, uint8
// Tissue values.
at::Tensor compose_labels(const methods::InferenceRecipe& recipe, const at::Tensor& values);

// What the recipe relabels in a whole segmentation (Tissue values), in place.
void relabel(const methods::InferenceRecipe& recipe, std::vector<std::uint8_t>& labels);

}  // namespace lacuna::evaluation

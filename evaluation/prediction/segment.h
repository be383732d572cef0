// One volume segmented under many modality subsets: windows in order of depth, each encoded once
// and decoded for all subsets. Runs where the method's parameters are, in evaluation mode and
// without gradients; the module's mode is restored. One call at a time per method object.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "data/cache/cohort.h"
#include "data/types/tissue.h"
#include "evaluation/volumes/mask.h"
#include "methods/method.h"

namespace lacuna::evaluation {

// The part of a volume of this extent (D, H, W) that the method segments and that counts in its
// scores; null: all of it. `patch` as below.
std::optional<Box> scored_box(const methods::Method& method, const data::Extent& extent,
                              const std::optional<data::Extent>& patch);

struct SegmentOptions {
  // Windows of this size in place of the method's (a run that trains on its own).
  std::optional<data::Extent> patch;
  bool mirrored = false;  // the mean over the 8 flips of each window
  bool rankseg = false;   // RankSEG in place of the threshold; sigmoid outputs only
  // Called for each subset with what is blended, as probabilities: C x D x H x W, float, on the
  // host, in the order of the volume; 0 outside of what the method segments. Valid during the call.
  std::function<void(std::size_t subset, const at::Tensor& probabilities)> probabilities;
  std::function<void()> alive;  // called whenever some subsets of a window are decoded
};

// Segments a whole volume under each subset. Result [subset]: D x H x W Tissue values on the full
// grid. `image`: 1 x M x D x H x W, normalised. Throws ConfigError when the network cannot take the
// patch, or its outputs the decoding.
std::vector<std::vector<std::uint8_t>> segment_subsets(methods::Method& method,
                                                       const at::Tensor& image,
                                                       const std::vector<data::SubsetMask>& subsets,
                                                       const SegmentOptions& options);
std::vector<std::vector<std::uint8_t>> segment_subsets(
    methods::Method& method, const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
    const std::optional<data::Extent>& patch = std::nullopt);

// The tissues that a method can write into a segmentation: bit t for Tissue t.
std::uint32_t predicted_tissues(const methods::Method& method);

// The probability of a region in each voxel, from those of the channels (C x D x H x W): that of
// the sigmoid channel whose tissue and whatever later ones write inside it make up the region, the
// sum of the softmax channels of its tissues. Undefined tensor: no channel stands for the region.
at::Tensor region_probability(const methods::InferenceRecipe& recipe, const data::Region& region,
                              const at::Tensor& probabilities);

}  // namespace lacuna::evaluation

// One volume segmented under many modality subsets: windows in order of depth, each encoded once
// and decoded for all subsets. Runs where the method's parameters are, in evaluation mode and
// without gradients; the module's mode is restored. One call at a time per method object.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/cache/cohort.h"
#include "evaluation/volumes/mask.h"
#include "methods/method.h"

namespace lacuna::evaluation {

// The part of a volume of this extent (D, H, W) that the method segments and that counts in its
// scores; null: all of it. `patch` as below.
std::optional<Box> scored_box(const methods::Method& method, const data::Extent& extent,
                              const std::optional<data::Extent>& patch);

// Segments a whole volume under each subset. Result [subset]: D x H x W Tissue values on the full
// grid. `image`: 1 x M x D x H x W, normalised. `patch`: windows of this size in place of the
// method's (a run that trains on its own). Throws ConfigError when the network cannot take it.
std::vector<std::vector<std::uint8_t>> segment_subsets(
    methods::Method& method, const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
    const std::optional<data::Extent>& patch = std::nullopt);

}  // namespace lacuna::evaluation

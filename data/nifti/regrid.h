// Resampling a volume to other voxel sizes on the same axes: images linearly, labels by the nearest
// voxel. The outer faces stay where they are; beyond the outermost centres the edge value goes on.
// Pure functions, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/nifti/nifti_header.h"
#include "data/types/extent.h"

namespace lacuna::data {

// Voxels along an axis of `voxels` at `spacing` when the spacing becomes `wanted`; at least one.
std::int64_t regridded(std::int64_t voxels, double spacing, double wanted);

// D x H x W in and out.
std::vector<float> regrid(const std::vector<float>& volume, const Extent& from, const Extent& to);
std::vector<std::uint8_t> regrid_label(const std::vector<std::uint8_t>& label, const Extent& from,
                                       const Extent& to);

// Of the resampled volume; sizes along i, j, k.
Affine regridded(const Affine& affine, const std::array<std::int64_t, 3>& from,
                 const std::array<std::int64_t, 3>& to);

}  // namespace lacuna::data

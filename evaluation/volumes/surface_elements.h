// A surface as elements at the corners of voxels, each with an area: what surface-weighted HD95 and
// NSD are measured on (docs/evaluation.md).
//
// Around a corner lie 8 voxels; their pattern is its code, and a corner whose voxels are not all
// alike is an element. The surface of a pattern is that of triangles through the midpoints of the
// cube's edges; only its area matters. Beyond the volume is outside. Pure functions, thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "evaluation/volumes/mask.h"

namespace lacuna::evaluation {

// Bit 7 - (4a + 2b + c) of a code is the voxel on side (a, b, c) of the corner, 0 the lower side,
// along the file's axes i, j, k.
using ElementAreas = std::array<double, 256>;

// mm^2 of each code for voxels of this spacing (D, H, W).
ElementAreas element_areas(const std::array<double, 3>& spacing_mm);

// The elements of a mask: one voxel more along each axis; element (d, h, w) is the corner below
// voxel (d, h, w).
Mask surface_elements(const Mask& mask);

// The codes of `elements`, in the order of D, H, W.
std::vector<std::uint8_t> element_codes(const Mask& mask, const Mask& elements);

}  // namespace lacuna::evaluation

// Weights, images and labels that anyone can regenerate from a formula, so that two programs can be
// compared number by number without shipping weights.
//
// With h = FNV-1a 64 of "<seed>/<name>" and i the flat row-major index from 0,
//   z = splitmix64 of h + (i + 1) * 0x9E3779B97F4A7C15,   u = (z >> 11) * 2^-53 * 2 - 1,
// a tensor's values are, computed in double and stored as float:
//   name ends in running_mean: 0.1 u; in running_var: 1 + 0.2 |u|; in num_batches_tracked: 0;
//   2 or more dimensions: u * sqrt(6 / (shape[1] * shape[2] * ...)); else name ends in weight:
//   1 + 0.1 u; else 0.1 u. The name "input": u.
// Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

namespace lacuna::methods {

// float32, on the CPU.
at::Tensor fill(const std::string& name, at::IntArrayRef shape, std::uint64_t seed);

// The same for a tensor that is filled like an input image, whatever its name: u.
at::Tensor fill_input(const std::string& name, at::IntArrayRef shape, std::uint64_t seed);

// N x D x H x W, uint8: class min(floor((u + 1) / 2 * classes), classes - 1) per block of 4^3
// voxels, u running over the grid of blocks (extents divided by 4, rounded up).
at::Tensor fill_label(at::IntArrayRef shape, std::uint64_t seed, int classes = 4);

}  // namespace lacuna::methods

// How the voxels of a compressed data set are cut into chunks, and the boxes and rows of a volume.
#pragma once

#include <algorithm>
#include <cstdint>

#include "data/types/extent.h"

namespace lacuna::data {

// Chunks are 32^3 voxels of one modality: larger ones decode more voxels than a crop needs, and an
// absent modality is never read. On disk: part of the format.
inline constexpr std::int64_t kChunkEdge = 32;
inline constexpr std::int64_t kChunkVoxels = kChunkEdge * kChunkEdge * kChunkEdge;

inline std::int64_t voxels(const Extent& extent) { return extent[0] * extent[1] * extent[2]; }

// The chunks of one volume, numbered row-major.
struct ChunkGrid {
  explicit ChunkGrid(const Extent& volume) : extent(volume) {
    for (std::size_t a = 0; a < 3; ++a) count[a] = (extent[a] + kChunkEdge - 1) / kChunkEdge;
  }
  std::int64_t chunks() const { return voxels(count); }
  std::int64_t number(const Extent& place) const {
    return (place[0] * count[1] + place[1]) * count[2] + place[2];
  }
  Extent corner(std::int64_t number) const {
    return {number / (count[1] * count[2]) * kChunkEdge, number / count[2] % count[1] * kChunkEdge,
            number % count[2] * kChunkEdge};
  }

  Extent extent{}, count{};
};

// Half-open box in voxels.
struct Box {
  Extent begin{}, end{};

  bool empty() const { return begin[0] >= end[0] || begin[1] >= end[1] || begin[2] >= end[2]; }
  Extent extent() const { return {end[0] - begin[0], end[1] - begin[1], end[2] - begin[2]}; }
  Box intersect(const Box& other) const {
    Box both;
    for (std::size_t a = 0; a < 3; ++a) {
      both.begin[a] = std::max(begin[a], other.begin[a]);
      both.end[a] = std::min(end[a], other.end[a]);
    }
    return both;
  }
};

}  // namespace lacuna::data

// Voxels as runs along W, and the connected components of a mask made of such runs.
//
// Values; pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/volumes/mask.h"

namespace lacuna::evaluation {

// Voxels [begin, end) of row (d, h).
struct Run {
  std::int32_t d = 0, h = 0, begin = 0, end = 0;
};

// A set of voxels: its runs in the order of D, H, W.
struct RunList {
  std::vector<Run> runs;
  std::int64_t voxels = 0;
  Box box;
};

RunList runs_of(const Mask& mask);

// Sets the voxels of `list` in a mask whose voxel (0, 0, 0) lies at `corner` of the volume.
void draw(const RunList& list, const Extent& corner, Mask& mask);

// `box`, grown by `margin` voxels on every side as far as a volume of this extent goes.
Box grow(const Box& box, std::int64_t margin, const Extent& extent);

// Every voxel that is set, or has a set one among its 18 neighbours that share a face or an edge.
Mask dilate_18(const Mask& mask);

// The components of a mask under 26-connectivity (faces, edges and corners), numbered in the order
// of their first voxels.
class Components {
 public:
  // The mask's voxel (0, 0, 0) lies at `corner` of the volume; runs are in the volume's voxels.
  explicit Components(const Mask& mask, const Extent& corner = {});

  int count() const { return static_cast<int>(voxels_.size()); }
  std::int64_t voxels(int component) const { return voxels_[static_cast<std::size_t>(component)]; }
  const std::vector<Run>& runs() const { return runs_; }
  int component_of(std::size_t run) const { return component_[run]; }
  // The union of some components, named in ascending order.
  RunList select(std::span<const int> components) const;

 private:
  std::vector<Run> runs_;
  std::vector<int> component_;                      // of each run
  std::vector<std::int64_t> voxels_;                // of each component
  std::vector<std::vector<std::int32_t>> members_;  // runs of each component
};

// Calls visit(i, j, voxels) for each pair of a run of `a` and a run of `b` that overlap.
template <typename Visit>
void for_each_overlap(const std::vector<Run>& a, const std::vector<Run>& b, const Visit& visit) {
  const auto row = [](const Run& run) {
    return static_cast<std::int64_t>(run.d) << 32 | static_cast<std::uint32_t>(run.h);
  };
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const std::int64_t row_a = row(a[i]), row_b = row(b[j]);
    if (row_a == row_b) {
      const std::int32_t begin = a[i].begin > b[j].begin ? a[i].begin : b[j].begin;
      const std::int32_t end = a[i].end < b[j].end ? a[i].end : b[j].end;
      if (begin < end) visit(i, j, static_cast<std::int64_t>(end - begin));
      a[i].end < b[j].end ? ++i : ++j;
    } else {
      row_a < row_b ? ++i : ++j;
    }
  }
}

}  // namespace lacuna::evaluation

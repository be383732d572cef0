// Exact Euclidean distances, in mm, from voxels to the nearest seed voxel of a mask.
//
// The transform is separable. Two passes are tabulated over a box: the distance to the nearest
// seed along W, then the distance within the plane (H, W); the third, along D, is taken only at the
// voxels that somebody asks about, since surfaces are a few per cent of a box. Along H and D the
// minimum of the parabolas (x - x')^2 + g(x') is searched outwards from x and ends as soon as the
// parabola's own height exceeds the best value: that is exact, touches as many rows as the distance
// is long, and works on a vector of neighbouring columns at once, where the lower-envelope scan of
// Felzenszwalb and Huttenlocher or Meijster divides and branches per voxel.
//
// Isotropic spacings are computed in voxel units, whose squares a float holds exactly; others in
// double. Immutable after construction, so thread-safe.
#pragma once

#include <array>
#include <variant>
#include <vector>

#include "evaluation/volumes/mask.h"

namespace lacuna::evaluation {

class DistanceTransform {
 public:
  // `box` holds every seed and every voxel that will be asked about; there is at least one seed.
  DistanceTransform(const Mask& seeds, const Box& box, const std::array<double, 3>& spacing_mm,
                    int threads = 1);

  // Squared distance in mm^2 from each set voxel of `voxels` to its nearest seed, in D, H, W order.
  std::vector<double> squared_mm_at(const Mask& voxels, int threads = 1) const;

  const Box& box() const { return box_; }

 private:
  template <typename T>
  void tabulate(const Mask& seeds, std::vector<T>& table, int threads);
  template <typename T>
  void query_plane(const Mask& voxels, const std::vector<T>& table, std::int64_t d,
                   std::vector<double>& out) const;

  Box box_;
  std::array<double, 3> step_{};  // squared spacing per axis, in units of `unit_`
  double unit_ = 1;               // mm^2 per unit of the table
  std::int64_t stride_ = 0;       // row of the table: W rounded up to whole vectors
  std::variant<std::vector<float>, std::vector<double>> table_;  // D x H x stride_
};

}  // namespace lacuna::evaluation

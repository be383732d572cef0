// Distances between the surfaces of two sets of voxels, and what is read off them: percentiles and
// shares within a tolerance. docs/evaluation.md defines the numbers.
//
// TruthSurface keeps the truth's side for any number of predictions; one thread at a time. The rest
// are values and pure functions.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "evaluation/volumes/components.h"

namespace lacuna::evaluation {

enum class SurfaceKind {
  kVoxels,    // surface_of(): voxels with a face neighbour outside, distances between centres
  kElements,  // surface_elements(): corners of voxels, each with its area
};

using Spacing = std::array<double, 3>;  // mm, D, H, W

// One surface seen from the other: squared distances in mm^2, and areas in mm^2 (elements only).
struct SurfaceSide {
  std::vector<double> squares, areas;
};
struct SurfacePair {
  SurfaceSide prediction, truth;
};

class TruthSurface {
 public:
  TruthSurface(RunList truth, SurfaceKind kind, const Spacing& spacing_mm);
  ~TruthSurface();
  TruthSurface(TruthSurface&&) noexcept;

  // Neither side is empty.
  SurfacePair distances(const RunList& prediction, int threads);

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

// Percentiles with linear interpolation, as numpy.percentile.
double hd95_directed(const SurfacePair& pair);  // the larger of both sides'
double hd95_pooled(const SurfacePair& pair);    // of both lists together
// The larger of both sides' first distance at which the cumulated area reaches 95 % of the side's.
double hd95_by_area(const SurfacePair& pair);

// Decides whether distances lie within a tolerance. Those that differ from it by rounding alone are
// decided as a program decides that multiplies an offset with the spacing, squares, adds and takes
// the root.
class Tolerance {
 public:
  Tolerance(double mm, const Spacing& spacing_mm);
  bool holds(double square) const { return square < low_ || (square <= high_ && edge_inside_); }

 private:
  double low_, high_;  // mm^2: below low_ it surely holds, above high_ it surely does not
  bool edge_inside_ = true;
};

// Share of the surface voxels within the tolerance, mean of both sides.
double nsd_by_voxels(const SurfacePair& pair, const Tolerance& tolerance);
// Area within the tolerance over the area of both sides.
double nsd_by_area(const SurfacePair& pair, const Tolerance& tolerance);

// The decimal number that was rounded to float: 0.9 for 0.89999998. A spacing in a NIfTI header is
// such a float.
Spacing as_decimals(const Spacing& spacing_mm);

}  // namespace lacuna::evaluation

#include "evaluation/scores/surface_distances.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "data/types/axis_order.h"
#include "evaluation/volumes/distance_transform.h"
#include "evaluation/volumes/surface_elements.h"

namespace lacuna::evaluation {
namespace {

constexpr double kShare = 0.95;
// Relative width of the band in which a squared distance may equal a squared tolerance.
constexpr double kBand = 1e-9;

// 95th percentile of the square roots, interpolated as numpy.percentile(..., method="linear").
// Reorders its argument, which must not be empty.
double percentile_95(std::vector<double>& squares) {
  const double position = kShare * static_cast<double>(squares.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  const double weight = position - static_cast<double>(below);
  const auto middle = squares.begin() + below;
  std::nth_element(squares.begin(), middle, squares.end());
  const double low = std::sqrt(*middle);
  if (middle + 1 == squares.end()) return low;
  const double high = std::sqrt(*std::min_element(middle + 1, squares.end()));
  // The form that NumPy takes, so that results agree to the last bits.
  return weight < 0.5 ? low + (high - low) * weight : high - (high - low) * (1 - weight);
}

double percentile_95(const SurfaceSide& side) {
  auto squares = side.squares;
  return percentile_95(squares);
}

// First distance whose cumulated area is 95 % of the total: no interpolation.
double percentile_95_by_area(const SurfaceSide& side) {
  std::vector<std::pair<double, double>> sorted(side.squares.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = {side.squares[i], side.areas[i]};
  const double total = std::accumulate(side.areas.begin(), side.areas.end(), 0.0);
  // Only the far end is put in order: halves that surely lie below the share are added up whole.
  auto first = sorted.begin();
  double before = 0;
  const auto area_of = [](double sum, const auto& element) { return sum + element.second; };
  while (sorted.end() - first > 64) {
    const auto middle = first + (sorted.end() - first) / 2;
    std::nth_element(first, middle, sorted.end());
    const double with_half = std::accumulate(first, middle, before, area_of);
    if (with_half >= (kShare - kBand) * total) break;
    before = with_half;
    first = middle;
  }
  std::sort(first, sorted.end());
  for (; first != sorted.end(); ++first) {
    before += first->second;
    if (before / total >= kShare) return std::sqrt(first->first);
  }
  return std::sqrt(sorted.back().first);  // the share was missed by rounding
}

double count_within(const SurfaceSide& side, const Tolerance& tolerance) {
  const auto within = [&](double square) { return tolerance.holds(square); };
  return static_cast<double>(std::count_if(side.squares.begin(), side.squares.end(), within));
}

double area_within(const SurfaceSide& side, const Tolerance& tolerance) {
  double area = 0;
  for (std::size_t i = 0; i < side.squares.size(); ++i) {
    if (tolerance.holds(side.squares[i])) area += side.areas[i];
  }
  return area;
}

double total_area(const SurfaceSide& side) {
  return std::accumulate(side.areas.begin(), side.areas.end(), 0.0);
}

}  // namespace

// The truth's surface within a frame that is as large as the predictions so far have needed.
struct TruthSurface::Content {
  RunList truth;
  SurfaceKind kind;
  Spacing spacing_mm;
  std::optional<ElementAreas> areas_of_codes;
  Box frame;  // of voxels
  Mask surface{{1, 1, 1}};
  std::vector<double> areas;
  std::optional<DistanceTransform> distances;

  // The surface of a set of voxels inside the frame, and the area of each of its elements.
  Mask surface_in_frame(const RunList& voxels, std::vector<double>& element_areas) const {
    Mask mask(frame.extent);
    draw(voxels, frame.corner, mask);
    if (kind == SurfaceKind::kVoxels) return surface_of(mask);
    Mask elements = surface_elements(mask);
    const auto codes = element_codes(mask, elements);
    element_areas.resize(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      element_areas[i] = (*areas_of_codes)[codes[i]];
    }
    return elements;
  }

  void enlarge(const Box& wanted, int threads) {
    if (distances && is_inside(wanted, frame)) return;
    frame = unite(frame, wanted);
    surface = surface_in_frame(truth, areas);
    distances.emplace(surface, Box{{0, 0, 0}, surface.extent()}, spacing_mm, threads);
  }
};

TruthSurface::TruthSurface(RunList truth, SurfaceKind kind, const Spacing& spacing_mm)
    : content_(new Content) {
  content_->frame = truth.box;
  content_->truth = std::move(truth);
  content_->kind = kind;
  content_->spacing_mm = spacing_mm;
  if (kind == SurfaceKind::kElements) content_->areas_of_codes = element_areas(spacing_mm);
}

TruthSurface::~TruthSurface() = default;
TruthSurface::TruthSurface(TruthSurface&&) noexcept = default;

SurfacePair TruthSurface::distances(const RunList& prediction, int threads) {
  Content& truth = *content_;
  truth.enlarge(prediction.box, threads);
  SurfacePair pair;
  const Mask surface = truth.surface_in_frame(prediction, pair.prediction.areas);
  pair.prediction.squares = truth.distances->squared_mm_at(surface, threads);
  // The prediction's own table covers what both need, however large the frame has become.
  Box box = unite(truth.truth.box, prediction.box);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    box.corner[axis] -= truth.frame.corner[axis];
    box.extent[axis] += truth.kind == SurfaceKind::kElements ? 1 : 0;
  }
  pair.truth.areas = truth.areas;
  pair.truth.squares = DistanceTransform(surface, box, truth.spacing_mm, threads)
                           .squared_mm_at(truth.surface, threads);
  return pair;
}

double hd95_directed(const SurfacePair& pair) {
  return std::max(percentile_95(pair.prediction), percentile_95(pair.truth));
}

double hd95_pooled(const SurfacePair& pair) {
  auto all = pair.prediction.squares;
  all.insert(all.end(), pair.truth.squares.begin(), pair.truth.squares.end());
  return percentile_95(all);
}

double hd95_by_area(const SurfacePair& pair) {
  return std::max(percentile_95_by_area(pair.prediction), percentile_95_by_area(pair.truth));
}

Tolerance::Tolerance(double mm, const Spacing& spacing_mm)
    : low_(mm * mm * (1 - kBand)), high_(mm * mm * (1 + kBand)) {
  const auto spacing = data::to_file_order(spacing_mm);  // the order in which squares are added
  const auto last = [&](std::size_t axis) {
    return static_cast<int>(std::min(1000.0, mm / spacing[axis] * (1 + kBand)));
  };
  bool found = false, inside = false;
  for (int i = 0; i <= last(0); ++i) {
    for (int j = 0; j <= last(1); ++j) {
      for (int k = 0; k <= last(2); ++k) {
        const double x = i * spacing[0], y = j * spacing[1], z = k * spacing[2];
        const double square = x * x + y * y + z * z;
        if (square < low_ || square > high_) continue;
        found = true;
        inside |= std::sqrt(square) <= mm;
      }
    }
  }
  edge_inside_ = !found || inside;
}

double nsd_by_voxels(const SurfacePair& pair, const Tolerance& tolerance) {
  return (count_within(pair.prediction, tolerance) /
              static_cast<double>(pair.prediction.squares.size()) +
          count_within(pair.truth, tolerance) / static_cast<double>(pair.truth.squares.size())) /
         2;
}

double nsd_by_area(const SurfacePair& pair, const Tolerance& tolerance) {
  return (area_within(pair.prediction, tolerance) + area_within(pair.truth, tolerance)) /
         (total_area(pair.prediction) + total_area(pair.truth));
}

Spacing as_decimals(const Spacing& spacing_mm) {
  Spacing decimals = spacing_mm;
  for (double& value : decimals) {
    const auto single = static_cast<float>(value);
    if (static_cast<double>(single) != value) continue;  // more digits than a float: not rounded
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, single).ptr;
    std::from_chars(text, end, value);
  }
  return decimals;
}

}  // namespace lacuna::evaluation

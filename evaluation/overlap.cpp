#include "evaluation/overlap.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "evaluation/distance_transform.h"
#include "evaluation/mask.h"

namespace lacuna::evaluation {
namespace {

// 95th percentile of the square roots, interpolated as numpy.percentile(..., method="linear").
// Reorders its argument, which must not be empty.
double percentile_95(std::vector<double>& squares) {
  const double position = 0.95 * static_cast<double>(squares.size() - 1);
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

}  // namespace

const char* name_of(Hd95Definition definition) {
  return definition == Hd95Definition::kDirected ? "directed" : "pooled";
}

Hd95Definition parse_hd95(const std::string& text) {
  if (text == "directed") return Hd95Definition::kDirected;
  if (text == "pooled") return Hd95Definition::kPooled;
  throw_error<ConfigError>("HD95 definition \"{}\" is not known; allowed: directed, pooled", text);
}

std::string describe_empty_rule(const ScoreOptions& options) {
  const std::string smooth =
      options.dice_smooth == 0
          ? "0"
          : fmt::format("(2 common + {0}) / (voxels + {0}), as everywhere", options.dice_smooth);
  return fmt::format("both empty: Dice 1, HD95 0 mm; one empty: Dice {}, HD95 {} mm", smooth,
                     options.one_empty_mm);
}

struct TruthDistances::Content {
  struct Region {
    Mask mask;
    Mask surface;
    Box box;
    std::int64_t voxels;
    std::optional<DistanceTransform> distances;  // over a box that holds all surfaces so far
  };

  data::Extent extent;
  std::array<double, 3> spacing_mm;
  std::vector<data::Region> definitions;
  ScoreOptions options;
  std::vector<Region> regions;

  double hd95(Region& truth, const Mask& prediction) {
    const Mask surface = surface_of(prediction);
    const Box box = unite(truth.box, prediction.bounding_box());
    if (!truth.distances || !is_inside(box, truth.distances->box())) {
      const Box grown = truth.distances ? unite(box, truth.distances->box()) : box;
      truth.distances.emplace(truth.surface, grown, spacing_mm, options.threads);
    }
    auto to_truth = truth.distances->squared_mm_at(surface, options.threads);
    const DistanceTransform from_prediction(surface, box, spacing_mm, options.threads);
    auto to_prediction = from_prediction.squared_mm_at(truth.surface, options.threads);
    if (options.hd95 == Hd95Definition::kDirected) {
      return std::max(percentile_95(to_truth), percentile_95(to_prediction));
    }
    to_truth.insert(to_truth.end(), to_prediction.begin(), to_prediction.end());
    return percentile_95(to_truth);
  }
};

TruthDistances::TruthDistances(std::span<const std::uint8_t> truth, const data::Extent& extent,
                               const std::array<double, 3>& spacing_mm,
                               const std::vector<data::Region>& regions,
                               const ScoreOptions& options)
    : content_(new Content{extent, spacing_mm, regions, options, {}}) {
  for (Mask& mask : region_masks(truth, extent, regions)) {
    Mask surface = surface_of(mask);
    const Box box = mask.bounding_box();
    const std::int64_t voxels = mask.count();
    content_->regions.push_back({std::move(mask), std::move(surface), box, voxels, {}});
  }
}

TruthDistances::~TruthDistances() = default;
TruthDistances::TruthDistances(TruthDistances&&) noexcept = default;

std::vector<RegionScore> TruthDistances::score(std::span<const std::uint8_t> prediction,
                                               bool hd95) {
  const auto masks = region_masks(prediction, content_->extent, content_->definitions);
  std::vector<RegionScore> scores(masks.size());
  for (std::size_t r = 0; r < masks.size(); ++r) {
    Content::Region& truth = content_->regions[r];
    RegionScore& score = scores[r];
    score.predicted_voxels = masks[r].count();
    score.true_voxels = truth.voxels;
    const std::int64_t voxels = score.predicted_voxels + score.true_voxels;
    const auto common = static_cast<double>(count_common(masks[r], truth.mask));
    const double smooth = content_->options.dice_smooth;
    score.dice = voxels == 0 ? 1.0 : (2 * common + smooth) / (static_cast<double>(voxels) + smooth);
    if (!hd95 || voxels == 0) continue;
    const bool one_empty = score.predicted_voxels == 0 || score.true_voxels == 0;
    score.hd95_mm = one_empty ? content_->options.one_empty_mm : content_->hd95(truth, masks[r]);
  }
  return scores;
}

std::vector<RegionScore> score_case(std::span<const std::uint8_t> prediction,
                                    std::span<const std::uint8_t> truth, const data::Extent& extent,
                                    const std::array<double, 3>& spacing_mm,
                                    const std::vector<data::Region>& regions,
                                    const ScoreOptions& options, bool hd95) {
  return TruthDistances(truth, extent, spacing_mm, regions, options).score(prediction, hd95);
}

}  // namespace lacuna::evaluation

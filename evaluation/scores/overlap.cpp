#include "evaluation/scores/overlap.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/process/parallel.h"
#include "evaluation/scores/lesion_scores.h"
#include "evaluation/scores/region_pair.h"
#include "evaluation/volumes/mask.h"

namespace lacuna::evaluation {
const char* name_of(Hd95Definition definition) {
  return definition == Hd95Definition::kDirected ? "directed" : "pooled";
}

Hd95Definition parse_hd95(const std::string& text) {
  if (text == "directed") return Hd95Definition::kDirected;
  if (text == "pooled") return Hd95Definition::kPooled;
  throw_error<ConfigError>("HD95 definition \"{}\" is not known; allowed: directed, pooled", text);
}

std::string describe_definitions(const ScoreOptions& options) {
  return fmt::format("HD95 {}, one mask empty {} mm, Dice smooth {}", name_of(options.hd95),
                     options.one_empty_mm, options.dice_smooth);
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
  data::Extent extent;
  std::vector<data::Region> definitions;
  ScoreOptions options;
  std::vector<TruthRegion> regions;

  bool is_predicted(std::size_t region) const {
    return (definitions[region].tissues & options.predicted_tissues) != 0;
  }

  RegionScore score(std::size_t region, Mask prediction, bool hd95, int threads) {
    if (!is_predicted(region)) {
      return {kNoNumber, kNoNumber, 0, regions[region].voxels(),
              std::vector<double>(options.scores.columns().size(), kNoNumber)};
    }
    RegionPair pair(regions[region], std::move(prediction), threads);
    RegionScore score;
    score.predicted_voxels = pair.voxels();
    score.true_voxels = pair.truth_voxels();
    score.dice = dice(pair, options.dice_smooth);
    if (hd95 && score.predicted_voxels + score.true_voxels > 0) {
      const bool one_empty = score.predicted_voxels == 0 || score.true_voxels == 0;
      score.hd95_mm = one_empty ? options.one_empty_mm : distance(pair);
    }
    score.values = options.scores.score(pair, definitions[region].name,
                                        {options.one_empty_mm, options.dice_smooth});
    return score;
  }

  double distance(RegionPair& pair) const {
    const SurfacePair& both = pair.distances(SurfaceKind::kVoxels, pair.truth().spacing_mm());
    return options.hd95 == Hd95Definition::kDirected ? hd95_directed(both) : hd95_pooled(both);
  }
};

TruthDistances::TruthDistances(std::span<const std::uint8_t> truth, const data::Extent& extent,
                               const std::array<double, 3>& spacing_mm,
                               const std::vector<data::Region>& regions,
                               const ScoreOptions& options)
    : content_(new Content{extent, regions, options, {}}) {
  require_known(options.minimums, regions);
  for (Mask& mask : region_masks(truth, extent, regions)) {
    content_->regions.emplace_back(std::move(mask), spacing_mm);
  }
}

TruthDistances::~TruthDistances() = default;
TruthDistances::TruthDistances(TruthDistances&&) noexcept = default;

std::vector<RegionScore> TruthDistances::score(std::span<const std::uint8_t> prediction,
                                               bool hd95) {
  auto masks = region_masks(prediction, content_->extent, content_->definitions);
  std::vector<RegionScore> scores(masks.size());
  // A region is one thread's; what threads are left share its larger tables.
  const auto regions = static_cast<int>(masks.size());
  const int threads = std::max(1, content_->options.threads / std::max(1, regions));
  parallel_for(content_->options.threads, regions, [&](std::int64_t i) {
    const auto r = static_cast<std::size_t>(i);
    scores[r] = content_->score(r, std::move(masks[r]), hd95, threads);
  });
  for (const RegionMinimum& rule : content_->options.minimums) {
    for (std::size_t r = 0; r < masks.size(); ++r) {
      if (content_->definitions[r].name != rule.region) continue;
      const bool changes =
          scores[r].predicted_voxels > 0 && is_emptied(rule, scores[r].predicted_voxels);
      scores.push_back(changes ? content_->score(r, Mask(content_->extent), hd95, threads)
                               : scores[r]);
    }
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

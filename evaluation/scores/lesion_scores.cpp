#include "evaluation/scores/lesion_scores.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "evaluation/scores/assignment.h"

namespace lacuna::evaluation {
namespace {

double volume_of(const Spacing& spacing_mm) {
  return spacing_mm[0] * spacing_mm[1] * spacing_mm[2];
}

double dice_of(std::int64_t common, std::int64_t a, std::int64_t b) {
  return 2 * static_cast<double>(common) / static_cast<double>(a + b);
}

// The official package of 2026 reads arrays as z, y, x and uses the spacing as x, y, z. In the
// order D, H, W = z, x, y that swaps the first two.
Spacing as_shipped_spacing(const Spacing& spacing_mm) {
  return {spacing_mm[1], spacing_mm[0], spacing_mm[2]};
}

std::vector<Candidate> candidates_of(RegionPair& pair) {
  // Pairs of a smaller Dice are not matched; the small term decides between no partner and a poor
  // one, as the official costs do (1 - d for a pair, 1 + 1e-6 for none).
  constexpr double kLeastDice = 1e-6;
  std::vector<Candidate> candidates;
  for (const SharedVoxels& shared : pair.shared()) {
    const double dice = dice_of(shared.voxels, pair.components().voxels(shared.prediction),
                                pair.truth().components().voxels(shared.truth));
    if (dice >= kLeastDice) {
      candidates.push_back({shared.truth, shared.prediction, dice + kLeastDice});
    }
  }
  return candidates;
}

std::size_t size_class(double mm3) {
  std::size_t i = 0;
  while (i < kLesionSizes.size() && mm3 >= kLesionSizes[i]) ++i;
  return i;
}

}  // namespace

Lesions2023 score_lesions_2023(RegionPair& pair, const Lesions2023Rule& rule) {
  TruthRegion& truth = pair.truth();
  const DilatedLesions& lesions = truth.lesions(rule.dilations);
  const Components& predicted = pair.components();
  // Step 4: a component hits a lesion when it has a voxel in the dilated lesion, which is the
  // component of the dilated truth that holds the lesion.
  std::vector<std::set<int>> hits(lesions.parts.size());
  std::vector<bool> hit(static_cast<std::size_t>(predicted.count()));
  for_each_overlap(predicted.runs(), lesions.dilated.runs(), [&](auto i, auto j, std::int64_t) {
    hits[static_cast<std::size_t>(lesions.dilated.component_of(j))].insert(
        predicted.component_of(i));
    hit[static_cast<std::size_t>(predicted.component_of(i))] = true;
  });
  std::map<std::pair<int, int>, std::int64_t> common;  // prediction, truth
  for (const SharedVoxels& each : pair.shared()) {
    common[{each.prediction, each.truth}] = each.voxels;
  }

  Lesions2023 result;
  result.false_positives = static_cast<int>(std::count(hit.begin(), hit.end(), false));
  const double voxel_mm3 = volume_of(truth.spacing_mm());
  double dice = 0, distance = 0;
  for (std::size_t i = 0; i < lesions.parts.size(); ++i) {
    std::int64_t voxels = 0, predicted_voxels = 0, shared = 0;
    for (const int part : lesions.parts[i]) voxels += truth.components().voxels(part);
    if (static_cast<double>(voxels) * voxel_mm3 <= rule.threshold_mm3) continue;  // step 5
    if (hits[i].empty()) {
      ++result.missed;
      distance += kMissedLesionMm;
      continue;
    }
    ++result.found;
    for (const int component : hits[i]) {
      predicted_voxels += predicted.voxels(component);
      for (const int part : lesions.parts[i]) {
        const auto found = common.find({component, part});
        if (found != common.end()) shared += found->second;
      }
    }
    dice += dice_of(shared, predicted_voxels, voxels);
    distance += hd95_by_area(pair.distances(SurfaceKind::kElements, truth.spacing_mm(),
                                            lesions.parts[i], {hits[i].begin(), hits[i].end()}));
  }
  const int number = result.found + result.missed + result.false_positives;  // step 7
  result.dice = number == 0 ? 1 : dice / number;
  result.hd95_mm = number == 0 ? 0 : (distance + kMissedLesionMm * result.false_positives) / number;
  return result;
}

Lesions2026 score_lesions_2026(RegionPair& pair, bool as_shipped) {
  TruthRegion& truth = pair.truth();
  const Spacing spacing =
      as_shipped ? as_shipped_spacing(truth.spacing_mm()) : as_decimals(truth.spacing_mm());
  const Tolerance tolerance(*std::min_element(spacing.begin(), spacing.end()), spacing);
  const Assignment assignment = assign(truth.components().count(), candidates_of(pair));

  Lesions2026 result;
  result.assignment_unique = assignment.unique;
  for (int lesion = 0; lesion < truth.components().count(); ++lesion) {
    const int partner = assignment.partner[static_cast<std::size_t>(lesion)];
    if (partner < 0) {
      ++result.missed;
      continue;
    }
    ++result.matched;
    std::int64_t common = 0;
    for (const SharedVoxels& each : pair.shared()) {
      if (each.prediction == partner && each.truth == lesion) common = each.voxels;
    }
    result.dice +=
        dice_of(common, pair.components().voxels(partner), truth.components().voxels(lesion));
    const SurfacePair& distances =
        pair.distances(SurfaceKind::kVoxels, spacing, {lesion}, {partner});
    result.hd95_mm += hd95_pooled(distances);
    result.nsd += nsd_by_voxels(distances, tolerance);
  }
  result.false_positives = pair.components().count() - result.matched;

  const int instances = result.matched + result.false_positives + result.missed;
  result.recognition =
      instances == 0
          ? kNoNumber
          : result.matched / (result.matched + 0.5 * result.false_positives + 0.5 * result.missed);
  if (result.matched > 0) {
    for (double* sum : {&result.dice, &result.hd95_mm, &result.nsd}) *sum /= result.matched;
  } else {
    result.dice = result.nsd = instances == 0 ? kNoNumber : 0;
    result.hd95_mm = instances == 0 ? kNoNumber : kInfinite;
  }
  if (pair.common() > 0) {
    result.global_dice = dice_of(pair.common(), pair.voxels(), truth.voxels());
    const Spacing global = as_shipped ? Spacing{1, 1, 1} : spacing;
    const SurfacePair& whole = pair.distances(SurfaceKind::kVoxels, global);
    result.global_hd95 = hd95_pooled(whole);
    result.global_nsd = nsd_by_voxels(whole, as_shipped ? Tolerance(0.5, global) : tolerance);
  } else {
    result.global_dice = result.global_nsd = instances == 0 ? kNoNumber : 0;
    result.global_hd95 = instances == 0 ? kNoNumber : kInfinite;
  }
  return result;
}

LesionCounts count_lesions(RegionPair& pair) {
  const Components &predicted = pair.components(), &truth = pair.truth().components();
  std::vector<bool> is_true(static_cast<std::size_t>(predicted.count()));
  std::vector<bool> is_found(static_cast<std::size_t>(truth.count()));
  for (const SharedVoxels& shared : pair.shared()) {
    is_true[static_cast<std::size_t>(shared.prediction)] = true;
    is_found[static_cast<std::size_t>(shared.truth)] = true;
  }
  const double voxel_mm3 = volume_of(as_decimals(pair.truth().spacing_mm()));
  const auto size_of = [&](const Components& components, int i) {
    return size_class(static_cast<double>(components.voxels(i)) * voxel_mm3);
  };
  LesionCounts counts;
  for (int i = 0; i < truth.count(); ++i) {
    auto& group = is_found[static_cast<std::size_t>(i)] ? counts.found : counts.missed;
    ++group[size_of(truth, i)];
  }
  for (int i = 0; i < predicted.count(); ++i) {
    if (!is_true[static_cast<std::size_t>(i)]) ++counts.false_positives[size_of(predicted, i)];
  }
  return counts;
}

}  // namespace lacuna::evaluation

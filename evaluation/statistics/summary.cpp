#include "evaluation/statistics/summary.h"

#include <limits>
#include <map>
#include <set>

namespace lacuna::evaluation {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Means mean_scores(const std::vector<const CaseScore*>& scores, std::size_t regions) {
  Means means{0, std::vector<double>(regions), std::vector<double>(regions)};
  std::set<std::string> cases;
  for (const CaseScore* score : scores) {
    cases.insert(score->case_id);
    for (std::size_t r = 0; r < regions; ++r) {
      means.dice[r] += score->regions[r].dice / static_cast<double>(scores.size());
      means.hd95_mm[r] += score->regions[r].hd95_mm / static_cast<double>(scores.size());
    }
  }
  means.cases = static_cast<int>(cases.size());
  return means;
}

// Mean height of the piecewise linear curve through equally spaced points.
double mean_height(const std::vector<double>& heights) {
  if (heights.size() == 1) return heights.front();
  double area = 0;
  for (std::size_t i = 1; i < heights.size(); ++i) area += (heights[i - 1] + heights[i]) / 2;
  return area / static_cast<double>(heights.size() - 1);
}

Robustness measure_robustness(const std::vector<SubsetMeans>& subsets, int modalities) {
  Robustness robustness;
  for (int size = 1; size <= modalities; ++size) {
    std::vector<double> dice, hd95;
    for (const SubsetMeans& each : subsets) {
      if (data::count(each.subset) != size) continue;
      dice.push_back(mean_of(each.means.dice));
      hd95.push_back(mean_of(each.means.hd95_mm));
    }
    robustness.dice_by_size.push_back(mean_of(dice));
    robustness.hd95_by_size.push_back(mean_of(hd95));
  }
  robustness.dice_area = mean_height(robustness.dice_by_size);
  robustness.hd95_area = mean_height(robustness.hd95_by_size);
  return robustness;
}

}  // namespace

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? kNone : sum / static_cast<double>(values.size());
}

double mean_dice(const CaseScore& score) {
  std::vector<double> values;
  for (const RegionScore& region : score.regions) values.push_back(region.dice);
  return mean_of(values);
}

Summary summarise(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const std::vector<data::Region>& regions, bool hd95) {
  Summary summary;
  summary.hd95 = hd95;
  for (const data::Region& region : regions) summary.regions.push_back(region.name);
  std::map<data::SubsetMask, std::vector<const CaseScore*>> by_subset;
  std::map<std::string, std::vector<const CaseScore*>> by_institution;
  std::set<std::string> cases;
  for (const CaseScore& score : scores) {
    by_subset[score.subset].push_back(&score);
    if (!score.institution.empty()) by_institution[score.institution].push_back(&score);
    cases.insert(score.case_id);
  }
  summary.cases = static_cast<int>(cases.size());
  for (const data::SubsetMask subset : modalities.subsets()) {
    const auto found = by_subset.find(subset);
    if (found == by_subset.end()) continue;
    summary.subsets.push_back({subset, mean_scores(found->second, regions.size())});
  }
  summary.all.cases = summary.cases;
  for (std::size_t r = 0; r < regions.size(); ++r) {
    std::vector<double> dice, distance;
    for (const SubsetMeans& each : summary.subsets) {
      dice.push_back(each.means.dice[r]);
      distance.push_back(each.means.hd95_mm[r]);
    }
    summary.all.dice.push_back(mean_of(dice));
    summary.all.hd95_mm.push_back(mean_of(distance));
  }
  for (const auto& [name, group] : by_institution) {
    summary.institutions.push_back({name, mean_scores(group, regions.size())});
  }
  summary.robustness = measure_robustness(summary.subsets, modalities.size());
  return summary;
}

}  // namespace lacuna::evaluation

#include "evaluation/statistics/summary.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace lacuna::evaluation {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Means of the values that are not NaN.
class Average {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  double value() const { return count_ == 0 ? kNone : sum_ / count_; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

// value(score) over the scores.
template <typename Value>
double average(const std::vector<const CaseScore*>& scores, const Value& value) {
  Average mean;
  for (const CaseScore* score : scores) mean.add(value(*score));
  return mean.value();
}

template <typename Value>
ColumnMean average_column(const std::vector<const CaseScore*>& scores, const Value& value) {
  ColumnMean result;
  Average mean, charged;
  for (const CaseScore* score : scores) {
    const double each = value(*score);
    mean.add(each);
    charged.add(std::isinf(each) ? kInfiniteChargeMm : each);
    result.without_value += std::isnan(each);
    result.infinite += std::isinf(each);
  }
  result.mean = mean.value();
  result.charged = charged.value();
  return result;
}

const RegionScore* region_of(const CaseScore& score, std::size_t place) {
  if (place < score.regions.size()) return &score.regions[place];
  place -= score.regions.size();
  return place < score.processed.size() ? &score.processed[place] : nullptr;
}

Means mean_scores(const std::vector<const CaseScore*>& scores, std::size_t regions,
                  const FurtherScores& further) {
  Means means;
  std::set<std::string> cases;
  for (const CaseScore* score : scores) cases.insert(score->case_id);
  means.cases = static_cast<int>(cases.size());
  for (std::size_t r = 0; r < regions + further.processed.size(); ++r) {
    const auto dice = [&](const CaseScore& score) {
      const RegionScore* region = region_of(score, r);
      return region ? region->dice : kNone;
    };
    const auto hd95 = [&](const CaseScore& score) {
      const RegionScore* region = region_of(score, r);
      return region ? region->hd95_mm : kNone;
    };
    (r < regions ? means.dice : means.processed_dice).push_back(average(scores, dice));
    (r < regions ? means.hd95_mm : means.processed_hd95_mm).push_back(average(scores, hd95));
    if (further.columns.empty()) continue;
    means.columns.emplace_back();
    for (std::size_t c = 0; c < further.columns.size(); ++c) {
      means.columns.back().push_back(average_column(scores, [&](const CaseScore& score) {
        const RegionScore* region = region_of(score, r);
        return region && c < region->values.size() ? region->values[c] : kNone;
      }));
    }
  }
  return means;
}

// Of the subsets' means, each counting once.
Means mean_of_subsets(const std::vector<SubsetMeans>& subsets, const FurtherScores& further,
                      std::size_t regions) {
  Means all;
  const auto over = [&](const auto& value) {
    Average mean;
    for (const SubsetMeans& each : subsets) mean.add(value(each.means));
    return mean.value();
  };
  for (std::size_t r = 0; r < regions; ++r) {
    all.dice.push_back(over([&](const Means& means) { return means.dice[r]; }));
    all.hd95_mm.push_back(over([&](const Means& means) { return means.hd95_mm[r]; }));
  }
  for (std::size_t p = 0; p < further.processed.size(); ++p) {
    all.processed_dice.push_back(over([&](const Means& m) { return m.processed_dice[p]; }));
    all.processed_hd95_mm.push_back(over([&](const Means& m) { return m.processed_hd95_mm[p]; }));
  }
  const std::size_t rows = further.columns.empty() ? 0 : regions + further.processed.size();
  for (std::size_t r = 0; r < rows; ++r) {
    all.columns.emplace_back();
    for (std::size_t c = 0; c < further.columns.size(); ++c) {
      ColumnMean mean;
      mean.mean = over([&](const Means& means) { return means.columns[r][c].mean; });
      mean.charged = over([&](const Means& means) { return means.columns[r][c].charged; });
      for (const SubsetMeans& each : subsets) {
        mean.without_value += each.means.columns[r][c].without_value;
        mean.infinite += each.means.columns[r][c].infinite;
      }
      all.columns.back().push_back(mean);
    }
  }
  return all;
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
  Average mean;
  for (const double value : values) mean.add(value);
  return mean.value();
}

double mean_dice(const CaseScore& score) {
  std::vector<double> values;
  for (const RegionScore& region : score.regions) values.push_back(region.dice);
  return mean_of(values);
}

Summary summarise(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const std::vector<data::Region>& regions, bool hd95,
                  const FurtherScores& further) {
  Summary summary;
  summary.further = further;
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
    summary.subsets.push_back({subset, mean_scores(found->second, regions.size(), further)});
  }
  summary.all = mean_of_subsets(summary.subsets, further, regions.size());
  summary.all.cases = summary.cases;
  for (const auto& [name, group] : by_institution) {
    summary.institutions.push_back({name, mean_scores(group, regions.size(), further)});
  }
  summary.robustness = measure_robustness(summary.subsets, modalities.size());
  return summary;
}

}  // namespace lacuna::evaluation

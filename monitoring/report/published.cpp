#include "monitoring/report/published.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/files/csv.h"
#include "data/types/modality.h"
#include "monitoring/assets.h"

namespace lacuna::monitoring {
namespace {

constexpr double kOtherCases = 0.01;  // share of the cases that a release may differ by

const data::ModalitySet& modalities() {
  static const data::ModalitySet set({"FLAIR", "T1", "T1c", "T2"});
  return set;
}

}  // namespace

double PublishedMethod::value(Metric metric, const std::string& region,
                              const std::string& subset) const {
  const auto row = values.find({metric, region});
  if (row == values.end()) return std::numeric_limits<double>::quiet_NaN();
  const auto cell = row->second.find(subset);
  return cell == row->second.end() ? std::numeric_limits<double>::quiet_NaN() : cell->second;
}

double PublishedMethod::mean(Metric metric, const std::string& region) const {
  double sum = 0;
  const auto subsets = modalities().subsets();
  for (const data::SubsetMask subset : subsets) {
    sum += value(metric, region, modalities().format(subset));
  }
  return sum / static_cast<double>(subsets.size());
}

std::vector<PublishedMethod> published_methods(std::string_view csv, const std::string& profile,
                                               std::int64_t cases) {
  const Csv table = Csv::parse(csv, "published.csv");
  std::vector<PublishedMethod> methods;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const double had = table.number(row, "cohort_cases");
    if (table.text(row, "profile") != profile ||
        std::abs(static_cast<double>(cases) - had) > kOtherCases * had) {
      continue;
    }
    const std::string &source = table.text(row, "source"), &name = table.text(row, "method");
    auto found = std::find_if(methods.begin(), methods.end(), [&](const PublishedMethod& each) {
      return each.source == source && each.method == name;
    });
    if (found == methods.end()) {
      methods.push_back({source, name, table.text(row, "protocol"), {}});
      found = methods.end() - 1;
    }
    const bool dice = table.text(row, "metric") == "dice";
    auto& values = found->values[{dice ? Metric::kDice : Metric::kHd95, table.text(row, "region")}];
    for (const data::SubsetMask subset : modalities().subsets()) {
      const std::string column = modalities().format(subset);
      values[column] = table.number(row, column) / (dice ? 100 : 1);
    }
  }
  return methods;
}

std::vector<PublishedMethod> published_methods(const std::string& profile, std::int64_t cases) {
  return published_methods(assets::kPublished, profile, cases);
}

}  // namespace lacuna::monitoring

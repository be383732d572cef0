// Runs that differ in seed and fold only are repetitions of one configuration: their mean, their
// deviation, and their scores put together.
//
// Pure functions; refer to runs that the caller owns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {

struct Replicates {
  std::string label;              // the method, and the keys that tell it from its neighbours
  std::vector<std::size_t> runs;  // indices, all with an evaluation
};

// By what decides the result, best mean Dice first.
std::vector<Replicates> find_replicates(const ReportView& view);

struct Spread {
  double mean = 0;
  double deviation = 0;  // of a sample (n - 1); NaN for a single value
};
// Values that are not finite are left out; the mean of none is NaN.
Spread spread_of(const std::vector<double>& values);

// One score per case and subset: the mean over the runs that have it, region by region. Folds hold
// other cases, so they add up to the whole cohort.
std::vector<evaluation::CaseScore> pooled_scores(const ReportView& view,
                                                 const std::vector<std::size_t>& runs);

}  // namespace lacuna::monitoring

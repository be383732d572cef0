// Numbers that papers print for all 15 subsets, from assets/published.csv: one row per source,
// method, metric and region. Cells that a source lost are NaN.
//
// Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "monitoring/report/evaluation_record.h"

namespace lacuna::monitoring {

struct PublishedMethod {
  std::string source, method, protocol;  // "Paper, Table 1", its name there, whose test cases
  // Metric and region ("ET") -> value of each subset, by name. Dice is a fraction, HD95 in mm.
  std::map<std::pair<Metric, std::string>, std::map<std::string, double>> values;

  double value(Metric metric, const std::string& region, const std::string& subset) const;
  // Over the subsets; NaN when one of them is not printed.
  double mean(Metric metric, const std::string& region) const;
};

// What is published for a cohort; empty when nothing is, or when `cases` is not the number of cases
// that the papers had (within one percent: releases differ by single cases).
std::vector<PublishedMethod> published_methods(const std::string& profile, std::int64_t cases);

// As the above reads the committed file. Throws DataError.
std::vector<PublishedMethod> published_methods(std::string_view csv, const std::string& profile,
                                               std::int64_t cases);

}  // namespace lacuna::monitoring

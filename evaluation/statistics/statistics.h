// Paired comparison of two methods over the same cases. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lacuna::evaluation {

struct WilcoxonResult {
  double statistic = 0;    // the smaller of the two rank sums
  double p = 1;            // two-sided
  std::int64_t pairs = 0;  // whose values differ; the others are dropped (Wilcoxon's rule)
  bool exact = false;      // else the normal approximation, corrected for ties
};

// Wilcoxon's signed-rank test of a against b, case by case, with the choices of scipy's
// wilcoxon(a, b): exact up to 50 pairs without ties or zeros and up to 13 pairs with them, the
// normal approximation without continuity correction otherwise. p is 1 when no pair differs.
// Throws Error when the lengths differ.
WilcoxonResult wilcoxon(std::span<const double> a, std::span<const double> b);

// Holm's step-down adjustment for several tests: compare each with the level of one test.
std::vector<double> holm(std::span<const double> p);

}  // namespace lacuna::evaluation

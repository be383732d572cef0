#include "evaluation/statistics/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace lacuna::evaluation {
namespace {

// From here on the two approaches agree to about 1e-3; scipy's limits.
constexpr std::size_t kExactPairs = 50;
constexpr std::size_t kExactPairsWithTies = 13;

// Ranks of the absolute differences, ties sharing their mean, times two: whole numbers.
struct Ranking {
  std::vector<std::int64_t> doubled;
  double tie_term = 0;  // sum of t^3 - t over groups of t tied values
};

Ranking rank(const std::vector<double>& differences) {
  const std::size_t n = differences.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  const auto size = [&](std::size_t i) { return std::abs(differences[i]); };
  std::sort(order.begin(), order.end(), [&](auto i, auto j) { return size(i) < size(j); });
  Ranking ranking{std::vector<std::int64_t>(n), 0};
  for (std::size_t first = 0, end; first < n; first = end) {
    end = first + 1;
    while (end < n && size(order[end]) == size(order[first])) ++end;
    for (std::size_t i = first; i < end; ++i) {
      ranking.doubled[order[i]] = static_cast<std::int64_t>(first + 1 + end);
    }
    const auto tied = static_cast<double>(end - first);
    ranking.tie_term += tied * tied * tied - tied;
  }
  return ranking;
}

// Probability that a sum of randomly signed ranks is at most `sum` (all doubled): the distribution
// is built rank by rank, as in the convolution of two-point distributions.
double probability_at_most(const std::vector<std::int64_t>& doubled, std::int64_t sum) {
  const std::int64_t total = std::accumulate(doubled.begin(), doubled.end(), std::int64_t{0});
  std::vector<double> density(static_cast<std::size_t>(total + 1));
  density[0] = 1;
  for (const std::int64_t step : doubled) {
    for (std::int64_t s = total; s >= 0; --s) {
      auto& here = density[static_cast<std::size_t>(s)];
      here = 0.5 * (here + (s >= step ? density[static_cast<std::size_t>(s - step)] : 0.0));
    }
  }
  return std::accumulate(density.begin(), density.begin() + sum + 1, 0.0);
}

}  // namespace

WilcoxonResult wilcoxon(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    throw_error<Error>("a paired test needs as many values on both sides, not {} and {}", a.size(),
                       b.size());
  }
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) differences.push_back(a[i] - b[i]);
  }
  WilcoxonResult result;
  result.pairs = static_cast<std::int64_t>(differences.size());
  result.exact = true;
  if (differences.empty()) return result;
  const Ranking ranking = rank(differences);
  std::int64_t positive = 0, total = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    total += ranking.doubled[i];
    if (differences[i] > 0) positive += ranking.doubled[i];
  }
  const std::int64_t smaller = std::min(positive, total - positive);
  result.statistic = static_cast<double>(smaller) / 2;
  const bool clean = ranking.tie_term == 0 && differences.size() == a.size();
  result.exact = a.size() <= (clean ? kExactPairs : kExactPairsWithTies);
  if (result.exact) {
    result.p = std::min(1.0, 2 * probability_at_most(ranking.doubled, smaller));
  } else {
    const auto n = static_cast<double>(result.pairs);
    const double mean = n * (n + 1) / 4;
    const double variance = (n * (n + 1) * (2 * n + 1) - ranking.tie_term / 2) / 24;
    result.p = std::erfc((mean - result.statistic) / std::sqrt(2 * variance));
  }
  return result;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto i, auto j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double highest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double raised = static_cast<double>(p.size() - i) * p[order[i]];
    highest = std::max(highest, std::min(1.0, raised));
    adjusted[order[i]] = highest;
  }
  return adjusted;
}

}  // namespace lacuna::evaluation

#include "evaluation/statistics/intervals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace lacuna::evaluation {
namespace {

// Of base/random.h's numbering, which ends before: draws share no numbers with training.
constexpr auto kBootstrapPurpose = static_cast<Purpose>(11);
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

double quantile_of_sorted(const std::vector<double>& sorted, double level) {
  if (sorted.empty()) return kMissing;
  const double position = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const double weight = position - static_cast<double>(below);
  const double low = sorted[below];
  if (below + 1 == sorted.size()) return low;
  const double high = sorted[below + 1];
  return weight < 0.5 ? low + (high - low) * weight : high - (high - low) * (1 - weight);
}

double mean_at(std::span<const double> values, std::span<const std::int32_t> cases) {
  double sum = 0;
  std::int64_t counted = 0;
  for (const std::int32_t i : cases) {
    const double value = values[static_cast<std::size_t>(i)];
    if (std::isnan(value)) continue;
    sum += value;
    ++counted;
  }
  return counted == 0 ? kMissing : sum / static_cast<double>(counted);
}

std::vector<std::int32_t> all_cases(int number) {
  std::vector<std::int32_t> cases(static_cast<std::size_t>(number));
  std::iota(cases.begin(), cases.end(), 0);
  return cases;
}

// The statistic without each case in turn.
std::vector<double> jackknife(const Statistic& statistic, int number) {
  std::vector<double> values;
  for (int left_out = 0; left_out < number; ++left_out) {
    auto cases = all_cases(number);
    cases.erase(cases.begin() + left_out);
    const double value = statistic(cases);
    if (!std::isnan(value)) values.push_back(value);
  }
  return values;
}

// Efron's bias correction and acceleration, as scipy.stats.bootstrap(method="BCa").
void add_bca(Bootstrap& result, const std::vector<double>& sorted, const Statistic& statistic,
             int cases, double level) {
  double below = 0, at_most = 0;
  for (const double draw : sorted) {
    below += draw < result.value;
    at_most += draw <= result.value;
  }
  result.bias = normal_quantile((below + at_most) / (2 * static_cast<double>(sorted.size())));
  const auto without = jackknife(statistic, cases);
  const double mean = std::accumulate(without.begin(), without.end(), 0.0) /
                      static_cast<double>(std::max<std::size_t>(1, without.size()));
  double cubes = 0, squares = 0;
  for (const double value : without) {
    const double u = mean - value;
    cubes += u * u * u;
    squares += u * u;
  }
  result.acceleration = cubes / (6 * std::pow(squares, 1.5));
  result.bca_defined = std::isfinite(result.bias) && std::isfinite(result.acceleration);
  result.bca = result.percentile;
  if (!result.bca_defined) return;
  const auto corrected = [&](double z) {
    const double shifted = result.bias + z;
    return normal_probability(result.bias + shifted / (1 - result.acceleration * shifted));
  };
  const double z = normal_quantile((1 + level) / 2);
  result.bca = {quantile_of_sorted(sorted, corrected(-z)),
                quantile_of_sorted(sorted, corrected(z))};
}

// Smallest rank for ties, 1 is best; NaN takes the place behind all.
std::vector<int> ranks_of(std::vector<double> values, bool high_is_good) {
  for (double& value : values) {
    if (std::isnan(value)) {
      value = std::numeric_limits<double>::infinity();
    } else if (high_is_good) {
      value = -value;
    }
  }
  std::vector<int> ranks;
  for (const double value : values) {
    ranks.push_back(1 + static_cast<int>(std::count_if(values.begin(), values.end(),
                                                       [&](double v) { return v < value; })));
  }
  return ranks;
}

double kendall_tau_b(const std::vector<int>& a, const std::vector<int>& b) {
  double balance = 0, pairs_a = 0, pairs_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const int x = (a[i] > a[j]) - (a[i] < a[j]), y = (b[i] > b[j]) - (b[i] < b[j]);
      balance += x * y;
      pairs_a += x != 0;
      pairs_b += y != 0;
    }
  }
  return balance / std::sqrt(pairs_a * pairs_b);
}

// Ranks the methods by `values_at(method, cases)` over all cases and in each draw.
template <typename Values>
MethodRanking rank_by(std::size_t methods, bool high_is_good, const Resamples& resamples,
                      const Values& values_at) {
  const auto at = [&](std::span<const std::int32_t> cases) {
    std::vector<double> values;
    for (std::size_t m = 0; m < methods; ++m) values.push_back(values_at(m, cases));
    return ranks_of(values, high_is_good);
  };
  MethodRanking ranking;
  ranking.rank = at(all_cases(resamples.cases()));
  ranking.frequency.assign(methods, std::vector<int>(methods));
  std::vector<std::vector<double>> drawn(methods);
  double tau = 0;
  int defined = 0;
  for (int draw = 0; draw < resamples.draws(); ++draw) {
    const auto ranks = at(resamples.draw(draw));
    for (std::size_t m = 0; m < methods; ++m) {
      drawn[m].push_back(ranks[m]);
      ++ranking.frequency[m][static_cast<std::size_t>(ranks[m] - 1)];
    }
    const double one = kendall_tau_b(ranks, ranking.rank);
    if (std::isnan(one)) continue;  // all methods tied
    tau += one;
    ++defined;
  }
  ranking.kendall_tau = defined == 0 ? kMissing : tau / defined;
  for (auto& ranks : drawn) {
    std::sort(ranks.begin(), ranks.end());
    ranking.median.push_back(quantile_of_sorted(ranks, 0.5));
    ranking.interval.push_back(
        {quantile_of_sorted(ranks, 0.025), quantile_of_sorted(ranks, 0.975)});
  }
  return ranking;
}

}  // namespace

Resamples::Resamples(int cases, int draws, std::uint64_t seed)
    : cases_(cases),
      draws_(cases > 0 ? draws : 0),
      table_(static_cast<std::size_t>(cases) * static_cast<std::size_t>(draws_)) {
  for (int draw = 0; draw < draws_; ++draw) {
    Stream stream(seed, kBootstrapPurpose, static_cast<std::uint64_t>(draw));
    for (int i = 0; i < cases; ++i) {
      table_[static_cast<std::size_t>(draw) * static_cast<std::size_t>(cases) +
             static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(cases)));
    }
  }
}

Resamples::Resamples(int cases, std::vector<std::int32_t> table)
    : cases_(cases),
      draws_(static_cast<int>(table.size()) / std::max(1, cases)),
      table_(std::move(table)) {}

std::span<const std::int32_t> Resamples::draw(int number) const {
  const auto length = static_cast<std::size_t>(cases_);
  return std::span(table_).subspan(static_cast<std::size_t>(number) * length, length);
}

Bootstrap bootstrap(const Statistic& statistic, const Resamples& resamples, double level) {
  Bootstrap result;
  result.value = statistic(all_cases(resamples.cases()));
  for (int draw = 0; draw < resamples.draws(); ++draw) {
    result.draws.push_back(statistic(resamples.draw(draw)));
  }
  std::vector<double> sorted;
  for (const double draw : result.draws) {
    if (!std::isnan(draw)) sorted.push_back(draw);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto number = static_cast<double>(sorted.size());
  const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / number;
  double squares = 0;
  for (const double draw : sorted) squares += (draw - mean) * (draw - mean);
  result.standard_error = std::sqrt(squares / (number - 1));
  result.percentile = {quantile_of_sorted(sorted, (1 - level) / 2),
                       quantile_of_sorted(sorted, (1 + level) / 2)};
  add_bca(result, sorted, statistic, resamples.cases(), level);
  return result;
}

Bootstrap bootstrap_mean(std::span<const double> values, const Resamples& resamples, double level) {
  return bootstrap([&](auto cases) { return mean_at(values, cases); }, resamples, level);
}

Bootstrap bootstrap_median(std::span<const double> values, const Resamples& resamples,
                           double level) {
  return bootstrap(
      [&](std::span<const std::int32_t> cases) {
        std::vector<double> drawn;
        for (const std::int32_t i : cases) drawn.push_back(values[static_cast<std::size_t>(i)]);
        return quantile(std::move(drawn), 0.5);
      },
      resamples, level);
}

Bootstrap bootstrap_subsets(const std::vector<std::vector<double>>& values,
                            const Resamples& resamples, double level) {
  return bootstrap(
      [&](std::span<const std::int32_t> cases) {
        double sum = 0;
        int counted = 0;
        for (const auto& subset : values) {
          const double mean = mean_at(subset, cases);
          if (std::isnan(mean)) continue;
          sum += mean;
          ++counted;
        }
        return counted == 0 ? kMissing : sum / counted;
      },
      resamples, level);
}

PairedBootstrap bootstrap_difference(std::span<const double> a, std::span<const double> b,
                                     const Resamples& resamples, double level) {
  if (a.size() != b.size()) {
    throw_error<Error>("a paired bootstrap needs as many values on both sides, not {} and {}",
                       a.size(), b.size());
  }
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  PairedBootstrap result;
  result.difference = bootstrap_mean(differences, resamples, level);
  double above = 0, at_most = 0, at_least = 0, number = 0;
  for (const double draw : result.difference.draws) {
    if (std::isnan(draw)) continue;
    above += draw > 0;
    at_most += draw <= 0;
    at_least += draw >= 0;
    number += 1;
  }
  result.share_above = above / number;
  result.p = std::min(1.0, 2 * std::min(at_most, at_least) / number);
  return result;
}

MethodRanking aggregate_then_rank(const std::vector<std::vector<double>>& scores, bool high_is_good,
                                  const Resamples& resamples) {
  return rank_by(scores.size(), high_is_good, resamples,
                 [&](std::size_t method, std::span<const std::int32_t> cases) {
                   return mean_at(scores[method], cases);
                 });
}

MethodRanking rank_then_aggregate(const std::vector<std::vector<double>>& scores, bool high_is_good,
                                  const Resamples& resamples) {
  std::vector<std::vector<double>> ranks(scores.size());
  for (int i = 0; i < resamples.cases(); ++i) {
    std::vector<double> values;
    for (const auto& method : scores) values.push_back(method[static_cast<std::size_t>(i)]);
    const auto of_case = ranks_of(values, high_is_good);
    for (std::size_t m = 0; m < scores.size(); ++m) ranks[m].push_back(of_case[m]);
  }
  MethodRanking ranking = rank_by(scores.size(), /*high_is_good=*/false, resamples,
                                  [&](std::size_t method, std::span<const std::int32_t> cases) {
                                    return mean_at(ranks[method], cases);
                                  });
  for (const auto& method : ranks) {
    ranking.mean_rank.push_back(mean_at(method, all_cases(resamples.cases())));
  }
  return ranking;
}

double normal_probability(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

// A rational start in the logarithm of the tail, then Halley's steps on the exact function.
double normal_quantile(double p) {
  if (std::isnan(p) || p < 0 || p > 1) return kMissing;
  if (p == 0 || p == 1) return (2 * p - 1) * std::numeric_limits<double>::infinity();
  if (p == 0.5) return 0;
  const bool upper = p > 0.5;
  const double tail = upper ? 1 - p : p;
  // Hastings' approximation (Abramowitz and Stegun 26.2.23), error below 4.5e-4.
  const double t = std::sqrt(-2 * std::log(tail));
  double z = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                       (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
  for (int i = 0; i < 4; ++i) {
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::acos(-1.0));
    const double step = (normal_probability(z) - tail) / density;
    z -= step / (1 + z * step / 2);
  }
  return upper ? -z : z;
}

double quantile(std::vector<double> values, double level) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(values, level);
}

}  // namespace lacuna::evaluation

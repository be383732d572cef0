// Bootstrap over cases: intervals of means, paired differences, ranks of methods.
//
// One table of resampled cases serves all methods, regions and subsets, so differences are paired
// and a case moves with all its subsets. NaN stands for a case without a value: it is drawn and
// does not count. Pure functions and values, thread-safe. docs/evaluation.md states the formulas.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lacuna::evaluation {

inline constexpr int kDraws = 10000;
inline constexpr std::uint64_t kBootstrapSeed = 2024;

// Which cases each draw holds: a pure function of (seed, draw, position).
class Resamples {
 public:
  Resamples(int cases, int draws = kDraws, std::uint64_t seed = kBootstrapSeed);
  // A table of somebody else's: draws x cases.
  Resamples(int cases, std::vector<std::int32_t> table);

  int cases() const { return cases_; }
  int draws() const { return draws_; }
  std::span<const std::int32_t> draw(int number) const;

 private:
  int cases_, draws_;
  std::vector<std::int32_t> table_;
};

struct Interval {
  double low = 0, high = 0;
};

struct Bootstrap {
  double value = 0;           // of the cases as they are
  double standard_error = 0;  // deviation of the draws (n - 1)
  Interval percentile;        // linear quantiles of the draws
  // Bias-corrected and accelerated (Efron 1987). `bca_defined` is false when the draws lie on one
  // side of the value or no case moves it: bca is then the percentile interval.
  Interval bca;
  bool bca_defined = true;
  double bias = 0, acceleration = 0;  // z0 and a
  std::vector<double> draws;
};

// A statistic of the cases named, which may repeat.
using Statistic = std::function<double(std::span<const std::int32_t>)>;

Bootstrap bootstrap(const Statistic& statistic, const Resamples& resamples, double level = 0.95);
// Of the mean (median) of values, one per case.
Bootstrap bootstrap_mean(std::span<const double> values, const Resamples& resamples,
                         double level = 0.95);
Bootstrap bootstrap_median(std::span<const double> values, const Resamples& resamples,
                           double level = 0.95);
// Of the mean over subsets of their means over cases: values[subset][case].
Bootstrap bootstrap_subsets(const std::vector<std::vector<double>>& values,
                            const Resamples& resamples, double level = 0.95);

// Mean difference a - b over cases.
struct PairedBootstrap {
  Bootstrap difference;
  double share_above = 0;  // of the draws with a difference > 0
  double p = 1;            // min(1, 2 min(share <= 0, share >= 0))
};
PairedBootstrap bootstrap_difference(std::span<const double> a, std::span<const double> b,
                                     const Resamples& resamples, double level = 0.95);

struct MethodRanking {
  std::vector<int> rank;                    // per method, 1 is best; ties share the smallest
  std::vector<double> mean_rank;            // over cases; rank_then_aggregate only
  std::vector<double> median;               // of the draws' ranks
  std::vector<Interval> interval;           // 2.5 % and 97.5 % of the draws' ranks
  std::vector<std::vector<int>> frequency;  // [method][rank - 1]: draws
  double kendall_tau = 0;  // mean over draws of tau-b to the full ranking; NaN without draws
};

// scores[method][case]. Means first, then ranks; or ranks per case (a missing score takes the worst
// place), then their mean.
MethodRanking aggregate_then_rank(const std::vector<std::vector<double>>& scores, bool high_is_good,
                                  const Resamples& resamples);
MethodRanking rank_then_aggregate(const std::vector<std::vector<double>>& scores, bool high_is_good,
                                  const Resamples& resamples);

// The value below which a normal variable lies with probability p.
double normal_quantile(double p);
double normal_probability(double z);
// numpy.quantile(..., method="linear"), NaN left out; NaN for none. Sorts a copy.
double quantile(std::vector<double> values, double level);

}  // namespace lacuna::evaluation

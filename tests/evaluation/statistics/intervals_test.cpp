// Bootstrap, ranks against SciPy's and challengeR's numbers (tests/evaluation/vectors).
#include "evaluation/statistics/intervals.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/evaluation/vectors.h"

namespace lacuna::evaluation {
namespace {

class Intervals : public ::testing::Test {
 protected:
  template <typename T>
  std::vector<T> read(const std::string& name) const {
    const TensorView* tensor = file_.find(name);
    std::vector<T> values(tensor->bytes.size() / sizeof(T));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
  }
  // Rows of a table.
  std::vector<std::vector<double>> rows(const std::string& name, std::size_t width) const {
    const auto values = read<double>(name);
    std::vector<std::vector<double>> table;
    for (std::size_t i = 0; i < values.size(); i += width) {
      table.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(i),
                         values.begin() + static_cast<std::ptrdiff_t>(i + width));
    }
    return table;
  }
  static void expect(const Interval& ours, const Json& theirs, const std::string& where) {
    EXPECT_NEAR(ours.low, theirs[0].get<double>(), 1e-9) << where;
    EXPECT_NEAR(ours.high, theirs[1].get<double>(), 1e-9) << where;
  }

  const TensorFile file_{vectors_directory() / "intervals.safetensors"};
  const Json expected_ = read_json(vectors_directory() / "intervals.json");
  const Resamples table_{17, read<std::int32_t>("tables/index")};
};

TEST_F(Intervals, PercentileAndBcaOfMeansAndMedians) {
  for (const char* metric : {"dice", "hd95"}) {
    const auto methods = rows(std::string("tables/") + metric, 17);
    for (std::size_t m = 0; m < methods.size(); ++m) {
      const Json& both = expected_["one_table"][metric]["method" + std::to_string(m)];
      for (const char* statistic : {"mean", "median"}) {
        for (const auto& [level, suffix] : {std::pair{0.95, "_0.95"}, std::pair{0.9, "_0.9"}}) {
          const Json& theirs = both[statistic];
          const Bootstrap ours = std::string(statistic) == "mean"
                                     ? bootstrap_mean(methods[m], table_, level)
                                     : bootstrap_median(methods[m], table_, level);
          const std::string where = std::string(metric) + statistic + std::to_string(m) + suffix;
          EXPECT_NEAR(ours.value, theirs["value"].get<double>(), 1e-12) << where;
          EXPECT_NEAR(ours.standard_error, theirs["standard_error"].get<double>(), 1e-9) << where;
          EXPECT_NEAR(ours.bias, theirs["z0"].get<double>(), 1e-9) << where;
          EXPECT_NEAR(ours.acceleration, theirs["acceleration"].get<double>(), 1e-9) << where;
          expect(ours.percentile, theirs[std::string("percentile") + suffix], where);
          expect(ours.bca, theirs[std::string("bca") + suffix], where);
        }
      }
    }
  }
}

TEST_F(Intervals, CasesWithoutAValueAreDrawnAndDoNotCount) {
  const auto methods = rows("tables/dice_with_nan", 17);
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const Json& theirs = expected_["nan_mean"]["method" + std::to_string(m)];
    const Bootstrap ours = bootstrap_mean(methods[m], table_);
    EXPECT_NEAR(ours.value, theirs["value"].get<double>(), 1e-12);
    expect(ours.percentile, theirs["percentile_0.95"], "method " + std::to_string(m));
  }
}

TEST_F(Intervals, DifferencesArePaired) {
  const auto methods = rows("tables/dice", 17);
  for (const auto& [pair, theirs] : expected_["paired"].items()) {
    const auto ours =
        bootstrap_difference(methods[static_cast<std::size_t>(pair[0] - '0')],
                             methods[static_cast<std::size_t>(pair[2] - '0')], table_);
    EXPECT_NEAR(ours.difference.value, theirs["value"].get<double>(), 1e-12);
    EXPECT_NEAR(ours.share_above, theirs["share_first_better"].get<double>(), 1e-12);
    EXPECT_NEAR(ours.p, theirs["p_two_sided"].get<double>(), 1e-12);
    expect(ours.difference.percentile, theirs["percentile_0.95"], pair);
    expect(ours.difference.bca, theirs["bca_0.95"], pair);
  }
  EXPECT_THROW(bootstrap_difference(methods[0], std::vector<double>(3), table_), Error);
}

TEST_F(Intervals, RanksOfMethods) {
  for (const auto& [metric, high] : {std::pair{"dice", true}, std::pair{"hd95", false}}) {
    const auto methods = rows(std::string("tables/") + metric, 17);
    for (const char* way : {"aggregate_then_rank", "rank_then_aggregate"}) {
      const Json& theirs = expected_["ranks"][metric][way];
      const bool aggregate = std::string(way).starts_with("agg");
      const MethodRanking ours = aggregate ? aggregate_then_rank(methods, high, table_)
                                           : rank_then_aggregate(methods, high, table_);
      EXPECT_EQ(Json(ours.rank), theirs["rank"]) << metric << way;
      EXPECT_EQ(Json(ours.frequency), theirs["frequency"]) << metric << way;
      for (std::size_t m = 0; m < methods.size(); ++m) {
        EXPECT_NEAR(ours.median[m], theirs["median"][m].get<double>(), 1e-12);
        EXPECT_NEAR(ours.interval[m].low, theirs["quantile_0.025"][m].get<double>(), 1e-12);
        EXPECT_NEAR(ours.interval[m].high, theirs["quantile_0.975"][m].get<double>(), 1e-12);
        if (!aggregate) {
          EXPECT_NEAR(ours.mean_rank[m], theirs["mean_rank"][m].get<double>(), 1e-12);
        }
      }
      if (aggregate) {
        EXPECT_NEAR(ours.kendall_tau, theirs["mean_kendall_tau_b"].get<double>(), 1e-12);
      }
    }
  }
}

TEST_F(Intervals, ACaseMovesWithAllItsSubsets) {
  const Resamples table{12, read<std::int32_t>("subsets/index")};
  const auto cases = rows("subsets/scores", 15);
  std::vector<std::vector<double>> subsets(15);
  for (const auto& row : cases) {
    for (std::size_t s = 0; s < 15; ++s) subsets[s].push_back(row[s]);
  }
  const Bootstrap ours = bootstrap_subsets(subsets, table);
  EXPECT_NEAR(ours.value, expected_["subsets"]["mean"].get<double>(), 1e-12);
  expect(ours.percentile, expected_["subsets"]["percentile_0.95"], "mean over subsets");
  for (std::size_t s = 0; s < 15; ++s) {
    expect(bootstrap_mean(subsets[s], table).percentile,
           expected_["subsets"]["per_subset_percentile_0.95"][s], "subset");
  }
}

TEST(Resamples, ArePureFunctionsOfSeedAndPlace) {
  const Resamples a(9, 50, 7), b(9, 20, 7), c(9, 20, 8);
  for (int draw = 0; draw < 20; ++draw) {
    EXPECT_TRUE(std::ranges::equal(a.draw(draw), b.draw(draw)));
    for (const std::int32_t i : a.draw(draw)) EXPECT_TRUE(i >= 0 && i < 9);
  }
  EXPECT_FALSE(std::ranges::equal(b.draw(3), c.draw(3)));
}

TEST(Quantiles, OfTheNormalDistribution) {
  for (const double p : {1e-12, 1e-5, 0.01, 0.3, 0.5, 0.8, 0.975, 1 - 1e-9}) {
    EXPECT_NEAR(normal_probability(normal_quantile(p)), p, 1e-14 + 1e-13 * p);
  }
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_TRUE(std::isinf(normal_quantile(0)));
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
}

TEST(Quantiles, BcaFallsBackWhereItIsNotDefined) {
  const std::vector<double> same(6, 0.5);
  const Bootstrap result = bootstrap_mean(same, Resamples(6, 100));
  EXPECT_FALSE(result.bca_defined);
  EXPECT_EQ(result.bca.low, 0.5);
}

}  // namespace
}  // namespace lacuna::evaluation

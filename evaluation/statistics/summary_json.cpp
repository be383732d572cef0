#include "evaluation/statistics/summary_json.h"

#include <cmath>
#include <limits>
#include <map>

#include "evaluation/statistics/intervals.h"

namespace lacuna::evaluation {
namespace {

constexpr double kUnknownScore = std::numeric_limits<double>::quiet_NaN();

Json named(const std::vector<double>& values, const Summary& summary) {
  Json object = Json::object();
  for (std::size_t r = 0; r < values.size(); ++r) object[summary.regions[r]] = values[r];
  object["mean"] = mean_of(values);
  return object;
}

// Numbers or null, by region and "score.column" as nested objects.
Json columns_json(const Means& means, const Summary& summary) {
  Json object = Json::object();
  for (std::size_t r = 0; r < means.columns.size(); ++r) {
    const std::string& region = r < summary.regions.size()
                                    ? summary.regions[r]
                                    : summary.further.processed[r - summary.regions.size()];
    for (std::size_t c = 0; c < summary.further.columns.size(); ++c) {
      const std::string& name = summary.further.columns[c];
      const std::size_t point = name.rfind('.');
      const std::string score = name.substr(0, point), column = name.substr(point + 1);
      const ColumnMean& mean = means.columns[r][c];
      Json& place = object[region][score];
      place[column] = mean.mean;  // NaN and infinity become null
      if (mean.infinite > 0) {
        place[column + "_infinite"] = mean.infinite;
        place[column + "_with_373"] = mean.charged;
      }
      if (mean.without_value > 0) place[column + "_left_out"] = mean.without_value;
    }
  }
  return object;
}

Json means_json(const Means& means, const Summary& summary) {
  Json object{{"cases", means.cases}, {"dice", named(means.dice, summary)}};
  if (summary.hd95) object["hd95_mm"] = named(means.hd95_mm, summary);
  for (std::size_t p = 0; p < means.processed_dice.size(); ++p) {
    const std::string& name = summary.further.processed[p];
    object["processed"][name]["dice"] = means.processed_dice[p];
    if (summary.hd95) object["processed"][name]["hd95_mm"] = means.processed_hd95_mm[p];
  }
  if (!means.columns.empty()) object["scores"] = columns_json(means, summary);
  return object;
}

// Cases by their place among all, in order of first appearance.
std::map<std::string, std::size_t> places_of(const std::vector<CaseScore>& scores) {
  std::map<std::string, std::size_t> places;
  for (const CaseScore& score : scores) places.try_emplace(score.case_id, places.size());
  return places;
}

Json interval_json(const Bootstrap& result) {
  Json object{{"percentile", {result.percentile.low, result.percentile.high}},
              {"bca", {result.bca.low, result.bca.high}},
              {"standard_error", result.standard_error}};
  if (!result.bca_defined) object["bca_is_percentile"] = true;
  return object;
}

// 95 % intervals of every mean, over cases: one table of resampled cases for all.
void add_intervals(Json& result, const std::vector<CaseScore>& scores, const Summary& summary) {
  const auto places = places_of(scores);
  const Resamples resamples(static_cast<int>(places.size()));
  std::map<data::SubsetMask, std::vector<const CaseScore*>> by_subset;
  for (const CaseScore& score : scores) by_subset[score.subset].push_back(&score);
  const std::size_t regions = summary.regions.size();
  const std::size_t rows = regions + 1 + summary.further.processed.size();
  const auto name_of_row = [&](std::size_t row) {
    return row < regions    ? summary.regions[row]
           : row == regions ? std::string("mean")
                            : summary.further.processed[row - regions - 1];
  };
  for (const bool dice : {true, false}) {
    if (!dice && !summary.hd95) continue;
    const char* metric = dice ? "dice" : "hd95_mm";
    const auto value = [&](const RegionScore& region) {
      return dice ? region.dice : region.hd95_mm;
    };
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<std::vector<double>> table;  // [subset][case]
      for (const SubsetMeans& subset : summary.subsets) {
        table.emplace_back(places.size(), kUnknownScore);
        for (const CaseScore* score : by_subset[subset.subset]) {
          std::vector<double> all;
          for (const RegionScore& region : score->regions) all.push_back(value(region));
          table.back()[places.at(score->case_id)] =
              row < regions    ? all[row]
              : row == regions ? mean_of(all)
                               : value(score->processed[row - regions - 1]);
        }
      }
      for (std::size_t s = 0; s < table.size(); ++s) {
        result["subsets"][s]["intervals"][metric][name_of_row(row)] =
            interval_json(bootstrap_mean(table[s], resamples));
      }
      result["mean"]["intervals"][metric][name_of_row(row)] =
          interval_json(bootstrap_subsets(table, resamples));
    }
  }
  result["intervals"] = {
      {"level", 0.95}, {"draws", kDraws}, {"seed", kBootstrapSeed}, {"over", "cases"}};
}

}  // namespace

Json summary_json(const Summary& summary, const data::ModalitySet& modalities,
                  const ScoreOptions& options, const Json& about,
                  const std::vector<CaseScore>& scores) {
  Json result = about;
  result["cases"] = summary.cases;
  result["modalities"] = modalities.names();
  result["regions"] = summary.regions;
  result["empty_rule"] = describe_empty_rule(options);
  result["definitions"] = describe_definitions(options);
  if (!options.scores.empty()) result["scores"] = options.scores.names();
  for (const RegionMinimum& rule : options.minimums) {
    result["post_processing"].push_back({{"score", rule.name()},
                                         {"region", rule.region},
                                         {"minimum_voxels", rule.voxels},
                                         {"action", rule.relabel ? "relabel" : "drop"}});
  }
  result["subsets"] = Json::array();
  for (const SubsetMeans& each : summary.subsets) {
    Json row = means_json(each.means, summary);
    row["subset"] = modalities.format(each.subset);
    result["subsets"].push_back(row);
  }
  result["mean"] = means_json(summary.all, summary);
  if (!scores.empty()) add_intervals(result, scores, summary);
  result["institutions"] = Json::object();
  for (const InstitutionMeans& each : summary.institutions) {
    result["institutions"][each.institution] = means_json(each.means, summary);
  }
  const Robustness& robustness = summary.robustness;
  result["robustness"] = {{"dice_by_size", robustness.dice_by_size},
                          {"dice_area", robustness.dice_area}};
  if (summary.hd95) {
    result["hd95_definition"] = name_of(options.hd95);
    result["robustness"]["hd95_mm_by_size"] = robustness.hd95_by_size;
    result["robustness"]["hd95_mm_area"] = robustness.hd95_area;
  }
  return result;
}

}  // namespace lacuna::evaluation

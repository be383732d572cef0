#include "monitoring/report/evaluation_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files/csv.h"

namespace lacuna::monitoring {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// "FLAIR+T1c" -> {"FLAIR", "T1c"}.
std::vector<std::string> split_subset(const std::string& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  for (std::size_t plus; (plus = text.find('+', begin)) != std::string::npos; begin = plus + 1) {
    names.push_back(text.substr(begin, plus - begin));
  }
  names.push_back(text.substr(begin));
  return names;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// As summary.json says. Without it: the largest subset lists its modalities in canonical order;
// where that is not all of them (a partial evaluation), the others follow as they appear.
std::vector<std::string> modality_names(const Json& about, const Csv& table) {
  std::vector<std::string> names;
  if (about.contains("modalities") && about["modalities"].is_array()) {
    for (const Json& name : about["modalities"]) names.push_back(name.get<std::string>());
    return names;
  }
  std::vector<std::vector<std::string>> subsets;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    subsets.push_back(split_subset(table.text(row, "subset")));
  }
  std::stable_sort(subsets.begin(), subsets.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const auto& subset : subsets) {
    for (const std::string& name : subset) add_once(names, name);
  }
  return names;
}

// A region after post-processing, "ET_pp500", stands beside the regions.
bool is_processed(const std::string& region) {
  const std::size_t mark = region.rfind("_pp");
  return mark != std::string::npos && mark + 3 < region.size() &&
         region.find_first_not_of("0123456789", mark + 3) == std::string::npos;
}

// Evaluations of earlier versions have none.
bool has_checksum(const Csv& table) {
  try {
    table.text(0, "checksum");
    return true;
  } catch (const DataError&) {
    return false;
  }
}

std::vector<evaluation::CaseScore> read_scores(const Csv& table,
                                               const data::ModalitySet& modalities,
                                               const std::vector<std::string>& regions,
                                               const std::vector<std::string>& processed) {
  const bool with_checksum = has_checksum(table);
  std::vector<evaluation::CaseScore> scores;
  std::map<std::pair<std::string, data::SubsetMask>, std::size_t> index;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& id = table.text(row, "case");
    const data::SubsetMask subset = modalities.parse(table.text(row, "subset"));
    const auto [entry, added] = index.try_emplace({id, subset}, scores.size());
    if (added) {
      const std::string institution = table.text(row, "institution");
      const evaluation::RegionScore none{kNone, kNone};
      scores.push_back({id, institution, subset,
                        std::vector<evaluation::RegionScore>(regions.size(), none),
                        std::vector<evaluation::RegionScore>(processed.size(), none)});
      if (with_checksum) scores.back().checksum = table.text(row, "checksum");
    }
    const std::string& name = table.text(row, "region");
    const bool beside = is_processed(name);
    const auto& names = beside ? processed : regions;
    evaluation::CaseScore& score = scores[entry->second];
    const auto place =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    (beside ? score.processed : score.regions)[place] = {table.number(row, "dice"),
                                                         table.number(row, "hd95_mm")};
  }
  return scores;
}

double value_of(const evaluation::Means& means, Metric metric, std::size_t region) {
  return metric == Metric::kDice ? means.dice[region] : means.hd95_mm[region];
}

}  // namespace

EvaluationRecord read_evaluation(const Path& directory) {
  const Path path = directory / "cases.csv";
  const Csv table = Csv::read(path);
  EvaluationRecord record;
  record.name = directory.filename().string();
  record.directory = directory;
  record.about = Json::object();
  if (exists(directory / "summary.json")) record.about = read_json(directory / "summary.json");
  if (table.rows() == 0) {
    throw_error<DataError>("{}: no rows. Run the evaluation again.", path.string());
  }
  record.modalities = data::ModalitySet(modality_names(record.about, table));
  std::vector<data::Region> regions;
  std::vector<std::string> names;
  evaluation::FurtherScores further;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& name = table.text(row, "region");
    add_once(is_processed(name) ? further.processed : names, name);
  }
  for (const std::string& name : names) regions.push_back({name, 0});
  record.scores = read_scores(table, record.modalities, names, further.processed);
  const bool hd95 = std::any_of(record.scores.begin(), record.scores.end(), [](const auto& score) {
    return std::any_of(score.regions.begin(), score.regions.end(),
                       [](const auto& region) { return std::isfinite(region.hd95_mm); });
  });
  record.summary = evaluation::summarise(record.scores, record.modalities, regions, hd95, further);
  record.identity = evaluation::identity_of(record.about, record.scores);
  return record;
}

double EvaluationRecord::mean(Metric metric, data::SubsetMask subset, std::size_t region) const {
  for (const evaluation::SubsetMeans& each : summary.subsets) {
    if (each.subset == subset) return value_of(each.means, metric, region);
  }
  return kNone;
}

double EvaluationRecord::mean_of_region(Metric metric, std::size_t region) const {
  return value_of(summary.all, metric, region);
}

double EvaluationRecord::mean(Metric metric) const {
  return evaluation::mean_of(metric == Metric::kDice ? summary.all.dice : summary.all.hd95_mm);
}

double EvaluationRecord::mean_of_size(Metric metric, int available, int region) const {
  if (region < 0) {
    const auto& curve =
        metric == Metric::kDice ? summary.robustness.dice_by_size : summary.robustness.hd95_by_size;
    return curve.at(static_cast<std::size_t>(available - 1));
  }
  std::vector<double> values;
  for (const evaluation::SubsetMeans& each : summary.subsets) {
    if (data::count(each.subset) == available) {
      values.push_back(value_of(each.means, metric, static_cast<std::size_t>(region)));
    }
  }
  return evaluation::mean_of(values);
}

}  // namespace lacuna::monitoring

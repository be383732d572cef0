// lacuna metrics: the scores of one segmentation file against another.
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/score_options.h"
#include "base/text/json.h"
#include "base/text/text_table.h"
#include "evaluation/scores/mask_files.h"

namespace lacuna::app {
namespace {

struct MetricsArguments {
  std::string prediction, truth, profile = "auto", hd95 = "directed";
  ScoreArguments scores;
  bool json = false;
};

// NaN and infinity are null, with the reason under the column's name and "_why".
void add_number(Json& object, const evaluation::ScoreColumn& column, double value,
                const std::string& region, const evaluation::RegionScore& score) {
  if (std::isfinite(value)) {
    object[column.column] = value;
    return;
  }
  object[column.column] = nullptr;
  object[column.column + "_why"] =
      evaluation::why_no_number(column, value, region, score.predicted_voxels, score.true_voxels);
}

Json region_json(const std::string& region, const evaluation::RegionScore& score,
                 const evaluation::ScoreSet& set) {
  Json object = {{"dice", score.dice},
                 {"hd95", score.hd95_mm},
                 {"predicted_voxels", score.predicted_voxels},
                 {"true_voxels", score.true_voxels}};
  for (std::size_t i = 0; i < set.columns().size(); ++i) {
    const auto& column = set.columns()[i];
    add_number(object[column.score], column, score.values[i], region, score);
  }
  return object;
}

void print_table(const evaluation::FileScores& scores, const std::vector<std::string>& names,
                 const evaluation::ScoreSet& set) {
  TextTable table({{"region"},
                   {"Dice", true},
                   {"HD95 mm", true},
                   {"predicted voxels", true},
                   {"true voxels", true}});
  for (std::size_t r = 0; r < scores.regions.size(); ++r) {
    const auto& region = scores.regions[r];
    table.add({names[r], fmt::format("{:.4f}", region.dice), fmt::format("{:.3f}", region.hd95_mm),
               std::to_string(region.predicted_voxels), std::to_string(region.true_voxels)});
  }
  fmt::print("{}", table.text());
  if (set.empty()) return;
  std::vector<TableColumn> columns = {{"score"}};
  for (const std::string& name : names) columns.push_back({name, true, 8});
  TextTable further(std::move(columns));
  for (std::size_t i = 0; i < set.columns().size(); ++i) {
    std::vector<std::string> row = {set.columns()[i].name()};
    for (const auto& region : scores.regions) {
      const double value = region.values[i];
      row.push_back(std::isfinite(value) ? fmt::format("{:.4f}", value)
                    : std::isnan(value)  ? "-"
                                         : "inf");
    }
    further.add(std::move(row));
  }
  fmt::print("\n{}", further.text());
}

void score(const MetricsArguments& arguments) {
  evaluation::ScoreOptions options;
  options.hd95 = evaluation::parse_hd95(arguments.hd95);
  options.threads = static_cast<int>(std::thread::hardware_concurrency());
  apply(arguments.scores, options);
  const auto scores =
      evaluation::score_files(arguments.prediction, arguments.truth, arguments.profile, options);
  const std::string rule = evaluation::describe_empty_rule(options);
  std::vector<std::string> names;
  for (const auto& region : scores.profile->regions) names.push_back(region.name);
  for (const auto& minimum : options.minimums) names.push_back(minimum.name());
  if (arguments.json) {
    Json regions = Json::object();
    for (std::size_t r = 0; r < scores.regions.size(); ++r) {
      regions[names[r]] = region_json(names[r], scores.regions[r], options.scores);
    }
    const Json report{{"regions", regions},
                      {"labels_of", scores.profile->title},
                      {"hd95_definition", arguments.hd95},
                      {"empty_rule", rule}};
    fmt::print("{}\n", report.dump());
    return;
  }
  print_table(scores, names, options.scores);
  fmt::print("labels of {}; HD95 {}; {}\n", scores.profile->title, arguments.hd95, rule);
}

}  // namespace

void add_metrics(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("metrics", "Scores of one mask against another");
  auto arguments = std::make_shared<MetricsArguments>();
  command->footer(
      "Example: lacuna metrics --pred out/case.nii.gz --truth case_seg.nii.gz "
      "--scores voxel,lesion2023-gli,surface --json");
  command->add_option("--pred", arguments->prediction, "Predicted mask, NIfTI")->required();
  command->add_option("--truth", arguments->truth, "Reference mask, NIfTI")->required();
  command->add_option("--profile", arguments->profile,
                      "Data set whose label values the masks hold; auto: by the values");
  command->add_option("--hd95", arguments->hd95, "directed (MONAI) or pooled (medpy)");
  add_score_options(*command, arguments->scores);
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->callback([arguments] { score(*arguments); });
}

}  // namespace lacuna::app

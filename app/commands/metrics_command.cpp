// lacuna metrics: Dice and HD95 of one segmentation file against another.
#include <memory>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "base/text/json.h"
#include "evaluation/mask_files.h"

namespace lacuna::app {
namespace {

struct MetricsArguments {
  std::string prediction, truth, profile = "auto", hd95 = "directed";
  bool json = false;
};

void score(const MetricsArguments& arguments) {
  evaluation::ScoreOptions options;
  options.hd95 = evaluation::parse_hd95(arguments.hd95);
  options.threads = static_cast<int>(std::thread::hardware_concurrency());
  const auto scores =
      evaluation::score_files(arguments.prediction, arguments.truth, arguments.profile, options);
  const std::string rule = evaluation::describe_empty_rule(options);
  if (arguments.json) {
    Json regions = Json::object();
    for (std::size_t r = 0; r < scores.regions.size(); ++r) {
      regions[scores.profile->regions[r].name] = {{"dice", scores.regions[r].dice},
                                                  {"hd95", scores.regions[r].hd95_mm}};
    }
    const Json report{
        {"regions", regions}, {"hd95_definition", arguments.hd95}, {"empty_rule", rule}};
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("{:<8}{:>10}{:>12}{:>18}{:>14}\n", "region", "Dice", "HD95 mm", "predicted voxels",
             "true voxels");
  for (std::size_t r = 0; r < scores.regions.size(); ++r) {
    const auto& region = scores.regions[r];
    fmt::print("{:<8}{:>10.4f}{:>12.3f}{:>18}{:>14}\n", scores.profile->regions[r].name,
               region.dice, region.hd95_mm, region.predicted_voxels, region.true_voxels);
  }
  fmt::print("labels of {}; HD95 {}; {}\n", scores.profile->title, arguments.hd95, rule);
}

}  // namespace

void add_metrics(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("metrics", "Dice and HD95 of one mask against another");
  auto arguments = std::make_shared<MetricsArguments>();
  command->footer("Example: lacuna metrics --pred out/case.nii.gz --truth case_seg.nii.gz --json");
  command->add_option("--pred", arguments->prediction, "Predicted mask, NIfTI")->required();
  command->add_option("--truth", arguments->truth, "Reference mask, NIfTI")->required();
  command->add_option("--profile", arguments->profile,
                      "Data set whose label values the masks hold; auto: by the values");
  command->add_option("--hd95", arguments->hd95, "directed (MONAI) or pooled (medpy)");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->callback([arguments] { score(*arguments); });
}

}  // namespace lacuna::app

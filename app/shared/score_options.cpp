#include "app/shared/score_options.h"

namespace lacuna::app {

void add_minimum_options(CLI::App& command, ScoreArguments& arguments) {
  command.add_option("--et-min", arguments.et_minimum,
                     "Enhancing tumour of fewer voxels is taken for a mistake: N, N:relabel (it "
                     "becomes necrosis) or N:drop (its own score is that of an empty one)");
  command
      .add_option("--region-min", arguments.region_minimums,
                  "The same for any region: R=N[:relabel|:drop]")
      ->delimiter(',');
}

void add_score_options(CLI::App& command, ScoreArguments& arguments) {
  command
      .add_option("--scores", arguments.scores,
                  "Further scores: voxel, surface, lesions, lesion2023-gli (-ssa, -ped, -men, "
                  "-met), lesion2026, lesion2026-mm")
      ->delimiter(',');
  add_minimum_options(command, arguments);
}

std::vector<evaluation::RegionMinimum> read_minimums(const ScoreArguments& arguments) {
  std::vector<evaluation::RegionMinimum> minimums;
  if (!arguments.et_minimum.empty()) {
    minimums.push_back(evaluation::parse_minimum("ET", arguments.et_minimum));
  }
  for (const std::string& text : arguments.region_minimums) {
    minimums.push_back(evaluation::parse_region_minimum(text));
  }
  return minimums;
}

void apply(const ScoreArguments& arguments, evaluation::ScoreOptions& options) {
  options.scores = evaluation::ScoreSet(arguments.scores);
  options.minimums = read_minimums(arguments);
}

}  // namespace lacuna::app

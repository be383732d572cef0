// lacuna phantom: made-up patients as NIfTI files in the layout of a published data set.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "base/text/json.h"
#include "base/text/progress.h"
#include "data/phantom/phantom.h"

namespace lacuna::app {
namespace {

struct PhantomArguments {
  std::string out;
  data::PhantomOptions options;
  std::vector<std::int64_t> size{155, 240, 240};
  std::vector<double> spacing{1, 1, 1};
  std::vector<std::string> traits;
  bool json = false, quiet = false;
};

void make(PhantomArguments& arguments) {
  auto& options = arguments.options;
  options.extent = {arguments.size[0], arguments.size[1], arguments.size[2]};
  std::copy_n(arguments.spacing.begin(), 3, options.spacing_mm.begin());
  options.traits = data::parse_phantom_traits(arguments.traits);
  options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  Progress progress("phantom", "cases", options.cases, progress_style(arguments.quiet));
  const auto report = data::write_phantom(posix_file_system(), arguments.out, options, progress);
  if (!report.was_complete) progress.finish();
  if (arguments.json) {
    fmt::print("{}\n", Json{{"directory", arguments.out},
                            {"cases", report.cases},
                            {"image_files", report.image_files},
                            {"left_out", report.left_out},
                            {"was_complete", report.was_complete}}
                           .dump());
    return;
  }
  fmt::print("{}: {} cases, {} images{}{}\n", arguments.out, report.cases, report.image_files,
             report.left_out > 0 ? fmt::format(", {} left out", report.left_out) : "",
             report.was_complete ? " (were there already)" : "");
}

}  // namespace

void add_phantom(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("phantom", "Make a cohort of artificial patients");
  auto arguments = std::make_shared<PhantomArguments>();
  auto& options = arguments->options;
  command->footer("Example: lacuna phantom --out toy --cases 8 --size 32,48,48 --profile fets2022");
  command->add_option("--out", arguments->out, "Directory for the cohort")->required();
  command->add_option("--cases", options.cases, "Number of cases")->capture_default_str();
  command->add_option("--size", arguments->size, "Voxels along D,H,W")
      ->delimiter(',')
      ->expected(3)
      ->capture_default_str();
  command->add_option("--spacing", arguments->spacing, "Voxel size along D,H,W in mm")
      ->delimiter(',')
      ->expected(3)
      ->capture_default_str();
  command
      ->add_option("--traits", arguments->traits,
                   "What real data sets have: negative (voxels below zero at the brain's rim), "
                   "float-labels (float64, a little off), full-masks (one value everywhere, in "
                   "every fourth case), mixed-axes (RAS and LPS side by side)")
      ->delimiter(',');
  command->add_option("--profile", options.profile, "Data set whose names and labels to use")
      ->capture_default_str();
  command->add_option("--seed", options.seed, "Same seed, same files")->capture_default_str();
  command->add_option("--missing", options.missing, "Chance of each modality file to be left out")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->add_flag("--quiet", arguments->quiet, "No progress");
  command->callback([arguments] { make(*arguments); });
}

}  // namespace lacuna::app

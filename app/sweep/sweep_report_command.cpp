// lacuna sweep report: the comparison of all runs of a sweep as one page.
#include <filesystem>

#include <fmt/core.h>

#include "app/shared/report_page.h"
#include "app/shared/run_arguments.h"
#include "app/sweep/sweep.h"
#include "base/text/log.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct SweepReportOptions : SweepArguments {
  std::string page;
};

void report(const SweepReportOptions& options) {
  const experiments::SweepDirectory directory = sweep_directory(options);
  const fs::path page = options.page.empty() ? directory.report_file() : fs::path(options.page);
  write_sweep_report(directory, directory.read_plan(), page);
  if (!options.quiet) fmt::print("{}\n", fs::absolute(page).string());
}

}  // namespace

void write_sweep_report(const experiments::SweepDirectory& directory,
                        const experiments::SweepPlan& plan, const fs::path& page) {
  std::vector<fs::path> runs;
  std::vector<std::string> labels;
  for (NamedRun& run : begun_runs(directory, plan)) {
    runs.push_back(std::move(run.directory));
    labels.push_back(std::move(run.label));
  }
  if (runs.size() < plan.runs.size()) {
    log::warn("{} of {} runs have not begun: the report is about the others",
              plan.runs.size() - runs.size(), plan.runs.size());
  }
  write_report_page(runs, labels, page);
}

void add_sweep_report(CLI::App& sweep, ExitCode&) {
  auto* command = sweep.add_subcommand("report", "One HTML page that compares all runs");
  const auto options = std::make_shared<SweepReportOptions>();
  add_sweep_choice(*command, *options);
  command->add_option("--page", options->page, "Where to write it (default: in the directory)");
  command->add_flag("--quiet", options->quiet, "Do not print where the page is");
  command->footer("Example: lacuna sweep report sweeps/first");
  command->callback([options] { report(*options); });
}

}  // namespace lacuna::app

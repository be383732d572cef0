// lacuna report RUNDIR... --out report.html: one page of what the runs show.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/report_page.h"

namespace lacuna::app {
namespace {

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out = "report.html";
  bool quiet = false;
};

void write_report(const ReportOptions& options) {
  write_report_page({options.runs.begin(), options.runs.end()}, {}, options.out);
  if (!options.quiet) fmt::print("{}\n", std::filesystem::absolute(options.out).string());
}

}  // namespace

void add_report(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("report", "One HTML page of what runs show");
  command->footer("Example: lacuna report runs/mckd runs/unet --out report.html");
  const auto options = std::make_shared<ReportOptions>();
  command->add_option("RUNDIR", options->runs, "Run directories to compare")->required();
  command->add_option("--out", options->out, "The page to write")->capture_default_str();
  command->add_flag("--quiet", options->quiet, "Do not print where the page is");
  command->callback([options] { write_report(*options); });
}

}  // namespace lacuna::app

// lacuna report RUNDIR... --out report.html: one page of what the runs show.
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "app/command.h"
#include "base/build_info.h"
#include "base/file_system.h"
#include "base/log.h"
#include "monitoring/report.h"

namespace lacuna::app {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string out = "report.html";
  bool quiet = false;
};

void write_report(const Options& options) {
  const std::vector<monitoring::RunRecord> runs =
      monitoring::read_runs({options.runs.begin(), options.runs.end()});
  for (const monitoring::RunRecord& run : runs) {
    for (const std::string& note : run.notes) log::warn("{}: {}", run.label, note);
  }
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::string made = fmt::format("{:%Y-%m-%d %H:%M} UTC by lacuna {} ({})", fmt::gmtime(now),
                                       build_info().version, build_info().commit);
  write_durably(posix_file_system(), options.out, monitoring::make_report(runs, made));
  if (!options.quiet) fmt::print("{}\n", std::filesystem::absolute(options.out).string());
}

}  // namespace

void add_report(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("report", "One HTML page of what runs show");
  command->footer("Example: lacuna report runs/mckd runs/unet --out report.html");
  const auto options = std::make_shared<Options>();
  command->add_option("RUNDIR", options->runs, "Run directories to compare")->required();
  command->add_option("--out", options->out, "The page to write")->capture_default_str();
  command->add_flag("--quiet", options->quiet, "Do not print where the page is");
  command->callback([options] { write_report(*options); });
}

}  // namespace lacuna::app

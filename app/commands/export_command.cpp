// lacuna export tensorboard|csv RUN|SWEEP...: what runs have logged, for other programs.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/run_arguments.h"
#include "base/files/file_system.h"
#include "base/text/log.h"
#include "monitoring/export/event_export.h"
#include "monitoring/export/table_export.h"
#include "monitoring/report/run_record.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  std::vector<std::string> runs;
  std::string out;
  bool scores = false, quiet = false;
};

// A label names a directory of its own: no separators, no "..".
std::string directory_name(const std::string& label) {
  std::string name;
  for (const char c : label)
    name += std::string_view("/\\: ").find(c) != std::string_view::npos ? '_' : c;
  return name.starts_with('.') ? "_" + name : name;
}

void export_tensorboard(const ExportOptions& options) {
  for (const NamedRun& run : named_runs(options.runs)) {
    const fs::path directory = fs::path(options.out) / directory_name(run.label);
    monitoring::export_events(run.directory, directory);
    if (!options.quiet) fmt::print("{}\n", directory.string());
  }
  if (!options.quiet) fmt::print("Look at them: tensorboard --logdir {}\n", options.out);
}

void export_csv(const ExportOptions& options) {
  std::vector<monitoring::RunRecord> runs;
  for (const NamedRun& run : named_runs(options.runs)) {
    runs.push_back(monitoring::read_run(run.directory));
  }
  const std::string table =
      options.scores ? monitoring::scores_table(runs) : monitoring::metrics_table(runs);
  if (options.out == "-") {
    fmt::print("{}", table);
  } else {
    write_durably(posix_file_system(), options.out, table);
  }
}

}  // namespace

void add_export(CLI::App& program, ExitCode&) {
  auto* command =
      program.add_subcommand("export", "What runs have logged, for TensorBoard, pandas and others");
  command->require_subcommand(1);
  const auto options = std::make_shared<ExportOptions>();
  auto* tensorboard = command->add_subcommand(
      "tensorboard", "Curves, overlays and hyperparameters as TensorBoard logs");
  tensorboard->add_option("RUN", options->runs, "Run directories, or directories of sweeps")
      ->required();
  tensorboard->add_option("--out", options->out, "Directory of the logs; one more for each run")
      ->required();
  tensorboard->add_flag("--quiet", options->quiet, "Do not print where they are");
  tensorboard->footer("Example: lacuna export tensorboard runs/mckd runs/unet --out logs");
  tensorboard->callback([options] { export_tensorboard(*options); });
  auto* csv = command->add_subcommand("csv", "One table, an observation per row");
  csv->add_option("RUN", options->runs, "Run directories, or directories of sweeps")->required();
  csv->add_option("--out", options->out, "The file to write; -: print it")->required();
  csv->add_flag("--scores", options->scores,
                "The scores of every case, subset and region of the evaluations, instead of the "
                "curves");
  csv->footer("Example: lacuna export csv sweeps/first --scores --out scores.csv");
  csv->callback([options] { export_csv(*options); });
}

}  // namespace lacuna::app

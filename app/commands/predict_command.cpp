// lacuna predict: masks of new cases, on the grid of their own NIfTI files.
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "base/files/writable.h"
#include "base/text/log.h"
#include "base/text/progress.h"
#include "data/cohorts/source.h"
#include "evaluation/prediction/predict.h"
#include "worker/run/run_directory.h"
#include "worker/setup/device_setup.h"

namespace lacuna::app {
namespace {

struct PredictArguments {
  std::filesystem::path run, in, out;
  std::string subset = "all", profile = "auto";
  bool quiet = false;
};

void run(const PredictArguments& arguments, ExitCode& code) {
  const worker::LoadedModel model = worker::load_model(arguments.run);
  worker::place(*model.method, worker::set_up_device(model.config));
  const data::SourceCohort source = data::scan_source(arguments.in, arguments.profile);
  if (source.profile->modalities != model.modalities.names()) {
    throw_error<ConfigError>("{}: the modalities of {} are not those that {} was trained on",
                             arguments.in.string(), source.profile->title, arguments.run.string());
  }
  evaluation::PredictOptions options;
  options.out = arguments.out;
  options.subset = model.modalities.parse(arguments.subset);
  options.patch = model.config.patch;
  require_writable(posix_file_system(), arguments.out);
  Progress progress("predict", "cases", static_cast<std::int64_t>(source.cases.size()),
                    progress_style(arguments.quiet));
  std::vector<std::string> lines;
  int failed = 0;
  for (const data::SourceCase& one : source.cases) {
    try {
      if (!one.problem.empty()) throw DataError(one.problem);
      const auto made = evaluation::predict_case(*model.method, one, *source.profile, options);
      lines.push_back(
          fmt::format("{}  from {}", made.file.string(), model.modalities.format(made.subset)));
    } catch (const DataError& error) {
      log::error("{}: {}", one.name.id, error.what());
      ++failed;
    }
    progress.advance();
  }
  progress.finish();
  if (!arguments.quiet) {
    for (const std::string& line : lines) fmt::print("{}\n", line);
  }
  if (failed > 0) {
    log::error("{} of {} cases have no mask (reasons above)", failed, source.cases.size());
    code = ExitCode::kError;
  }
}

}  // namespace

void add_predict(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("predict", "Masks of new cases as NIfTI files");
  auto arguments = std::make_shared<PredictArguments>();
  command->add_option("run", arguments->run, "Run directory (best checkpoint) or a checkpoint")
      ->required();
  command->add_option("--in", arguments->in, "Directory with one directory per case")->required();
  command->add_option("--out", arguments->out, "Directory of the masks")->required();
  command
      ->add_option("--subset", arguments->subset,
                   "Modalities to use, as far as a case has them: FLAIR+T1c")
      ->capture_default_str();
  command->add_option("--profile", arguments->profile, "Naming scheme, or auto")
      ->capture_default_str();
  command->add_flag("--quiet", arguments->quiet, "Print errors only");
  command->footer("Example: lacuna predict runs/mckd --in new --out masks --subset FLAIR+T1c");
  command->callback([arguments, &code] { run(*arguments, code); });
}

}  // namespace lacuna::app

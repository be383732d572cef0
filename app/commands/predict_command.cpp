// lacuna predict: masks of new cases, on the grid of their own NIfTI files.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/score_options.h"
#include "base/files/writable.h"
#include "base/text/log.h"
#include "base/text/progress.h"
#include "data/cache/cohort.h"
#include "data/cohorts/profile.h"
#include "data/cohorts/source.h"
#include "evaluation/prediction/predict.h"
#include "worker/run/run_directory.h"
#include "worker/setup/device_setup.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct PredictArguments {
  fs::path run, in, out;
  std::vector<std::string> images;
  std::string subset = "all", profile = "auto", id, decode = "threshold";
  ScoreArguments minimums;
  bool mirrored = false, probabilities = false, uncertainty = false, quiet = false;
  bool resample = false;
};

// The stem of a NIfTI file: "case_flair" of case_flair.nii.gz.
std::string stem_of(const fs::path& file) {
  std::string name = file.filename().string();
  for (const char* ending : {".gz", ".nii"}) {
    if (name.ends_with(ending)) name.resize(name.size() - std::strlen(ending));
  }
  return name;
}

// The numbering of the masks: as named, else that of the data that the run was trained on.
const data::Profile& output_profile(const PredictArguments& arguments,
                                    const worker::LoadedModel& model) {
  if (arguments.profile != "auto") return data::find_profile(arguments.profile);
  if (!model.config.cache.empty() && fs::exists(model.config.cache / "cohort.json")) {
    return data::find_profile(data::open_cohort(model.config.cache).profile);
  }
  throw_error<ConfigError>(
      "which label values the mask should have is not known: the data that {} was trained on is "
      "not there. Name a data set with --profile.",
      arguments.run.string());
}

// A case of files that are named one by one: FLAIR=a.nii.gz.
data::SourceCohort read_images(const PredictArguments& arguments,
                               const worker::LoadedModel& model) {
  data::SourceCohort cohort;
  cohort.profile = &output_profile(arguments, model);
  data::SourceCase one;
  const auto names = static_cast<std::size_t>(model.modalities.size());
  one.images.resize(names);
  for (const std::string& text : arguments.images) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      throw_error<ConfigError>("\"{}\": write modality and file, as in FLAIR=scan.nii.gz", text);
    }
    const auto modality = static_cast<std::size_t>(model.modalities.index(text.substr(0, equals)));
    if (!one.images[modality].empty()) {
      throw_error<ConfigError>("{} is given twice: {} and {}", text.substr(0, equals),
                               one.images[modality].string(), text.substr(equals + 1));
    }
    one.images[modality] = text.substr(equals + 1);
    if (!fs::exists(one.images[modality])) {
      throw_error<DataError>("{}: no such file", one.images[modality].string());
    }
    if (one.name.id.empty()) one.name.id = stem_of(one.images[modality]);
  }
  if (!arguments.id.empty()) one.name.id = arguments.id;
  one.directory = fs::current_path();
  cohort.cases.push_back(std::move(one));
  return cohort;
}

// A single file of a case named as its data set names it: the case is what lies beside it.
data::SourceCohort read_file(const PredictArguments& arguments) {
  const fs::path file = fs::absolute(arguments.in).lexically_normal();
  for (const fs::path& root : {file.parent_path(), file.parent_path().parent_path()}) {
    data::SourceCohort found;
    try {
      found = data::scan_source(root, arguments.profile);
    } catch (const Error&) {
      continue;  // no data set begins here
    }
    for (data::SourceCase& one : found.cases) {
      const bool mine = std::any_of(one.images.begin(), one.images.end(), [&](const auto& image) {
        return !image.empty() && fs::absolute(image).lexically_normal() == file;
      });
      if (!mine) continue;
      found.cases = {std::move(one)};
      return found;
    }
  }
  throw_error<DataError>(
      "{}: which modality this is cannot be told from its name. Name the files: --image "
      "FLAIR={}",
      arguments.in.string(), arguments.in.string());
}

data::SourceCohort read_source(const PredictArguments& arguments,
                               const worker::LoadedModel& model) {
  if (arguments.in.empty() == arguments.images.empty()) {
    throw_error<ConfigError>("name either --in (a directory of cases, a case, a file) or --image");
  }
  if (!arguments.images.empty()) return read_images(arguments, model);
  if (fs::is_regular_file(arguments.in)) return read_file(arguments);
  return data::scan_source(arguments.in, arguments.profile);
}

void run(const PredictArguments& arguments, ExitCode& code) {
  const worker::LoadedModel model = worker::load_model(arguments.run);
  worker::place(*model.method, worker::set_up_device(model.config));
  const data::SourceCohort source = read_source(arguments, model);
  if (source.profile->modalities != model.modalities.names()) {
    throw_error<ConfigError>("{}: the modalities of {} are not those that {} was trained on",
                             arguments.in.empty() ? "--image" : arguments.in.string(),
                             source.profile->title, arguments.run.string());
  }
  evaluation::PredictOptions options;
  options.out = arguments.out;
  options.subset = model.modalities.parse(arguments.subset);
  options.patch = model.config.patch;
  options.grid = model.grid;
  options.resample = arguments.resample;
  options.mirrored = arguments.mirrored;
  options.rankseg = arguments.decode == "rankseg";
  options.probabilities = arguments.probabilities;
  options.uncertainty = arguments.uncertainty;
  options.minimums = read_minimums(arguments.minimums);
  evaluation::require_known(options.minimums, source.profile->regions);
  for (const auto& rule : options.minimums) {
    if (rule.relabel) continue;
    throw_error<ConfigError>(
        "{}={}:drop changes how a region is scored, not a mask; masks can be relabelled: "
        "{}={}:relabel",
        rule.region, rule.voxels, rule.region, rule.voxels);
  }
  require_writable(posix_file_system(), arguments.out);
  Progress progress("predict", "cases", static_cast<std::int64_t>(source.cases.size()),
                    progress_style(arguments.quiet));
  std::vector<std::string> lines;
  int failed = 0;
  for (const data::SourceCase& one : source.cases) {
    try {
      if (!one.problem.empty()) throw DataError(one.problem);
      const auto made = evaluation::predict_case(*model.method, one, *source.profile, options);
      lines.push_back(fmt::format("{}  from {}{}", made.file.string(),
                                  model.modalities.format(made.subset),
                                  made.relabelled > 0 ? "  (small regions relabelled)" : ""));
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
  command->add_option("--in", arguments->in,
                      "Directory of cases, directory of one case, or one of its files");
  command
      ->add_option("--image", arguments->images,
                   "One case from files of any names: FLAIR=a.nii.gz,T1c=b.nii.gz")
      ->delimiter(',');
  command->add_option("--id", arguments->id, "Name of the case of --image (default: of its file)");
  command->add_option("--out", arguments->out, "Directory of the masks")->required();
  command
      ->add_option("--subset", arguments->subset,
                   "Modalities to use, as far as a case has them: FLAIR+T1c")
      ->capture_default_str();
  command->add_option("--profile", arguments->profile, "Naming scheme, or auto")
      ->capture_default_str();
  command->add_flag("--probabilities", arguments->probabilities,
                    "Write the probability of each region, too");
  command->add_flag("--uncertainty", arguments->uncertainty,
                    "Write the largest entropy of the regions (bits), too");
  command->add_flag("--mirrored", arguments->mirrored,
                    "Mean over the 8 mirrored forms of each window: 8 times the work");
  command
      ->add_option("--decode", arguments->decode,
                   "threshold, or rankseg: the mask of the largest expected Dice")
      ->check(CLI::IsMember({"threshold", "rankseg"}))
      ->capture_default_str();
  add_minimum_options(*command, arguments->minimums);
  command->add_flag("--resample", arguments->resample,
                    "Resample cases whose voxel size is not that of the training cohort; the mask "
                    "comes back on the files' own grid");
  command->add_flag("--quiet", arguments->quiet, "Print errors only");
  command->footer("Example: lacuna predict runs/mckd --in new --out masks --subset FLAIR+T1c");
  command->callback([arguments, &code] { run(*arguments, code); });
}

}  // namespace lacuna::app

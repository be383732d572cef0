// lacuna ingest --in DIR --out CACHE: NIfTI files become a checked cache.
#include <set>
#include <thread>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "base/error.h"
#include "base/text/json.h"
#include "base/text/log.h"
#include "data/ingest/ingest.h"

namespace lacuna::app {
namespace {

struct IngestArguments {
  data::IngestOptions options;
  std::string splits_file;
  std::vector<std::string> extras;
  bool json = false, quiet = false;
};

std::size_t count_patients(const data::Cohort& cohort) {
  std::set<std::string> patients;
  for (const data::CaseInfo& info : cohort.cases) patients.insert(info.patient);
  return patients.size();
}

Json to_json(const data::IngestReport& report) {
  Json refused = Json::array(), splits = Json::object();
  for (const auto& item : report.cohort.refused) {
    refused.push_back({{"id", item.id}, {"reason", item.reason}});
  }
  for (const auto& [name, parts] : report.cohort.splits) {
    for (const auto& [part, ids] : parts) splits[name][part] = ids.size();
  }
  return {{"profile", report.cohort.profile},
          {"why_profile", report.why_profile},
          {"cases", report.cohort.cases.size()},
          {"patients", count_patients(report.cohort)},
          {"made", report.made},
          {"kept", report.kept},
          {"refused", refused},
          {"splits", splits},
          {"fingerprint", report.cohort.fingerprint},
          {"source_bytes", report.source_bytes},
          {"cache_bytes", report.cache_bytes},
          {"seconds", report.seconds}};
}

void print(const data::IngestReport& report) {
  constexpr double kMegabyte = 1e6;
  const data::Cohort& cohort = report.cohort;
  fmt::print("profile      {}: {}\n", cohort.profile, report.why_profile);
  if (!report.licence.empty()) fmt::print("licence      {}\n", report.licence);
  fmt::print("cases        {} ({} made, {} already there) of {} patients, {} refused\n",
             cohort.cases.size(), report.made, report.kept, count_patients(cohort),
             cohort.refused.size());
  if (cohort.grid) {
    fmt::print("grid         axes {}, voxels of {} mm (D x H x W)\n",
               cohort.grid->orientation.empty() ? "unknown" : cohort.grid->orientation,
               fmt::join(cohort.grid->spacing_mm, " x "));
  }
  if (!report.splits_form.empty()) fmt::print("lists        {}\n", report.splits_form);
  fmt::print("cache        {}: {:.1f} MB, fingerprint {}\n", cohort.directory.string(),
             static_cast<double>(report.cache_bytes) / kMegabyte, cohort.fingerprint);
  for (const auto& [name, parts] : cohort.splits) {
    std::string counts;
    for (const auto& [part, ids] : parts) counts += fmt::format("  {} {}", part, ids.size());
    fmt::print("split {:<7}{}\n", name, counts);
  }
  fmt::print("time         {:.2f} s\n", report.seconds);
}

void run(const IngestArguments& arguments, ExitCode& code) {
  data::IngestOptions options = arguments.options;
  if (!arguments.splits_file.empty()) options.splits_file = arguments.splits_file;
  for (const std::string& extra : arguments.extras) {
    const auto equals = extra.find('=');
    if (equals == std::string::npos) {
      throw_error<ConfigError>("--extra {}: expected NAME=DIRECTORY", extra);
    }
    options.label_maps.emplace_back(extra.substr(0, equals), extra.substr(equals + 1));
  }
  options.progress = progress_style(arguments.quiet);
  const data::IngestReport report = data::ingest(options, posix_file_system());
  if (arguments.json) {
    fmt::print("{}\n", to_json(report).dump(2));
  } else if (!arguments.quiet) {
    print(report);
  }
  for (const auto& item : report.cohort.refused) log::error("{} refused: {}", item.id, item.reason);
  if (!report.cohort.refused.empty()) code = ExitCode::kError;
  if (report.bad_label_maps > 0) code = ExitCode::kBadUsage;
}

}  // namespace

void add_ingest(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("ingest", "Make a checked cache from NIfTI files");
  auto arguments = std::make_shared<IngestArguments>();
  data::IngestOptions& options = arguments->options;
  options.jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  command->add_option("--in", options.input, "Directory of NIfTI files, one directory per case")
      ->required();
  command->add_option("--out", options.output, "Directory of the cache, made or completed")
      ->required();
  command->add_option("--profile", options.profile, "Naming scheme, e.g. brats2021, or auto")
      ->capture_default_str();
  command->add_option("--jobs", options.jobs, "Cases at a time (about 100 MB of memory each)")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--codec", options.rules.codec, "none: mapped; lz4: a quarter of the size")
      ->check(CLI::IsMember({"none", "lz4"}))
      ->capture_default_str();
  command->add_option("--splits", arguments->splits_file,
                      "Fixed lists beside the folds: JSON, splits_final.json of nnU-Net, CSV, or a "
                      "directory of train*.txt, val*.txt, test*.txt");
  command
      ->add_option("--mask-order", options.mask_order,
                   "Modalities in the order of the masks of --splits: FLAIR,T1c,T1,T2")
      ->delimiter(',');
  command->add_flag("--allow-split-patients", options.allow_split_patients,
                    "Take --splits that put a patient into two parts");
  command->add_option("--folds", options.folds, "Folds of the generated splits (5)")
      ->check(CLI::Range(2, 100));
  command->add_option("--seed", options.seed, "Seed of the generated splits (1)");
  command->add_flag("--redeal", options.redeal,
                    "Deal the folds anew. Without it a cache that grows keeps them as they are");
  command->add_flag("--allow-missing", options.rules.allow_missing,
                    "Keep cases that lack modalities");
  command->add_flag("--resample", options.rules.resample,
                    "Resample cases whose voxel size is not the cohort's (else they are refused)");
  command->add_option("--extra", arguments->extras,
                      "NAME=DIRECTORY of label maps, one per case and modality, for methods that "
                      "use them; may be repeated");
  command->add_flag("--json", arguments->json, "Print the report as JSON");
  command->add_flag("--quiet", arguments->quiet, "Print errors only");
  command->footer(
      "Example: lacuna ingest --in MICCAI_BraTS_2018_Data_Training --out cache\n"
      "Exit code 1 when a case was refused, 2 when it was for a label map of --extra; the good "
      "ones "
      "are in the cache all the same.");
  command->callback([arguments, &code] { run(*arguments, code); });
}

}  // namespace lacuna::app

// lacuna eval: Dice and HD95 of a trained run over modality subsets.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/commands/eval_merge.h"
#include "app/shared/command.h"
#include "app/shared/run_on_ranks.h"
#include "app/shared/score_options.h"
#include "base/files/file_system.h"
#include "base/files/writable.h"
#include "base/process/build_info.h"
#include "base/text/json.h"
#include "base/text/log.h"
#include "base/text/progress.h"
#include "comm/choose.h"
#include "comm/gather_texts.h"
#include "comm/peer_lost.h"
#include "evaluation/prediction/dealt_cases.h"
#include "evaluation/prediction/overlay.h"
#include "evaluation/prediction/subset_evaluation.h"
#include "evaluation/statistics/comparison.h"
#include "evaluation/statistics/summary.h"
#include "evaluation/statistics/tables.h"
#include "monitoring/report/evaluation_record.h"
#include "worker/run/run_directory.h"
#include "worker/run/seen_cases.h"
#include "worker/setup/device_setup.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct EvalArguments {
  fs::path run, data, out, against;
  std::vector<fs::path> merged;
  std::string split, part, hd95 = "directed";
  std::vector<std::string> subsets;
  double one_empty_mm = evaluation::kOneEmptyMaskHd95Mm, dice_smooth = 0;
  ScoreArguments scores;
  std::string decode = "threshold";
  bool mirrored = false, calibration = false;
  bool without_hd95 = false, seen_cases = false, json = false, quiet = false;
  int ranks = 1;
  std::vector<std::string> given;  // as on the command line, what decides the numbers
};

// Options that say where, and how many at once: the numbers are the same with others.
const std::set<std::string> kBesideTheNumbers = {"run",    "--data",  "--out",   "--merge",
                                                 "--json", "--quiet", "--ranks", "--against"};

std::vector<std::string> deciding_options(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0 || kBesideTheNumbers.contains(option->get_name())) continue;
    words.push_back(option->get_name());
    if (option->get_expected_min() == 0) continue;  // a flag
    for (const std::string& value : option->results()) words.push_back(value);
  }
  return words;
}

// Ranks with few cases wait for the others: however long a case takes, this is longer.
constexpr comm::Seconds kLongestWait{7.0 * 24 * 3600};

data::Cohort open_data(const EvalArguments& arguments, const worker::LoadedModel& model) {
  const fs::path directory = arguments.data.empty() ? model.config.cache : arguments.data;
  if (directory.empty()) {
    throw_error<ConfigError>("{}: was not trained on a cache. Name one with --data.",
                             arguments.run.string());
  }
  data::Cohort cohort = data::open_cohort(directory);
  if (cohort.modalities.names() != model.modalities.names()) {
    throw_error<ConfigError>("{}: its modalities are not those that {} was trained on",
                             directory.string(), arguments.run.string());
  }
  return cohort;
}

// Empty: all that the method serves.
std::vector<data::SubsetMask> read_subsets(const EvalArguments& arguments,
                                           const data::ModalitySet& modalities) {
  std::vector<data::SubsetMask> subsets;
  for (const std::string& text : arguments.subsets) {
    if (text == "all" && arguments.subsets.size() == 1) return {};
    subsets.push_back(modalities.parse(text));
  }
  return subsets;
}

// eval/<split>-<part> of the run, unless told otherwise.
fs::path output_directory(const EvalArguments& arguments, const worker::LoadedModel& model,
                          const std::string& name) {
  if (!arguments.out.empty()) return arguments.out;
  // checkpoint = <run>/checkpoints/step-N
  return model.checkpoint.parent_path().parent_path() / "eval" / name;
}

// The cases of the part that have a label.
std::vector<int> scored_cases(const data::Cohort& cohort, const std::string& split,
                              const std::string& part) {
  std::vector<int> cases;
  int unlabelled = 0;
  for (const int index : cohort.part(split, part)) {
    if (cohort.cases[static_cast<std::size_t>(index)].has_label) {
      cases.push_back(index);
    } else {
      ++unlabelled;
    }
  }
  if (unlabelled > 0) log::warn("{} cases without a label are left out", unlabelled);
  if (cases.empty()) {
    throw_error<ConfigError>("{}: part {} of split {} has no labelled cases. Use: lacuna predict",
                             cohort.directory.string(), part, split);
  }
  return cases;
}

// Test where the split has a test part: what validated has chosen the checkpoint.
std::string default_part(const data::Cohort& cohort, const std::string& split) {
  return cohort.has_part(split, "test") ? "test" : "validation";
}

// Refuses a test on cases that the run has learned from, unless asked to; says so of other parts.
worker::Contact check_unseen(const EvalArguments& arguments, const worker::LoadedModel& model,
                             const data::Cohort& cohort, const std::string& part,
                             const std::vector<int>& cases) {
  const auto seen = worker::read_seen_cases(model.checkpoint, model.config, cohort);
  if (!seen.known) {
    log::warn(
        "{}: the run has no list of the cases that it was trained on (cases.json; it is of an "
        "earlier version), and {} is not the cohort that it was trained on: whether these cases "
        "were among them is not known.",
        arguments.run.string(), cohort.directory.string());
    return {};
  }
  worker::Contact contact = worker::find_contact(seen, cohort, cases);
  if (contact.count() == 0 || part != "test" || arguments.seen_cases) return contact;
  constexpr std::size_t kNamed = 10;
  const auto all = contact.examples.size();
  contact.examples.resize(std::min(all, kNamed));
  throw_error<ConfigError>(
      "{}: {} of the {} cases of part {} are known to the run: {}{}. A test on them says nothing. "
      "Choose another --split or --part, or insist with --seen-cases: the numbers are then "
      "labelled.",
      arguments.run.string(), contact.count(), cases.size(), part,
      fmt::join(contact.examples, ", "),
      all > kNamed ? fmt::format(" and {} more", all - kNamed) : "");
}

// The other evaluation of --against; refuses one that must not be compared, before any work.
monitoring::EvaluationRecord read_other(const EvalArguments& arguments,
                                        const evaluation::ScoreOptions& options,
                                        const std::string& part, const std::vector<int>& cases,
                                        const data::Cohort& cohort) {
  auto other = monitoring::read_evaluation(arguments.against);
  evaluation::EvaluationIdentity ours{
      "", evaluation::describe_empty_rule(options), part, cohort.fingerprint, {}};
  if (!arguments.without_hd95) ours.hd95 = evaluation::name_of(options.hd95);
  for (const int index : cases) {
    const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    ours.cases[info.id] = info.checksum;
  }
  const std::string why = evaluation::why_not_comparable(ours, other.identity);
  if (!why.empty()) {
    throw_error<ConfigError>(
        "{}: cannot be compared with this evaluation: {} (here: this evaluation, there: {}). "
        "Evaluate both alike, on the same cases.",
        arguments.against.string(), why, arguments.against.filename().string());
  }
  return other;
}

// Paired tests against another evaluation, by subset.
std::string compare_with(monitoring::EvaluationRecord other,
                         const std::vector<evaluation::CaseScore>& scores,
                         const data::Cohort& cohort) {
  for (auto& score : other.scores) {  // a partial evaluation may number its modalities otherwise
    score.subset = cohort.modalities.parse(other.modalities.format(score.subset));
  }
  return evaluation::comparison_csv(evaluation::compare(scores, other.scores, cohort.modalities),
                                    cohort.modalities);
}

std::string describe_unread(const std::vector<evaluation::UnreadCase>& unread, std::size_t cases) {
  std::string text = fmt::format("{} of {} cases could not be read, so the scores are without",
                                 unread.size(), cases);
  for (std::size_t i = 0; i < std::min<std::size_t>(unread.size(), 5); ++i) {
    text += fmt::format("{} case {} ({})", i > 0 ? "," : "", unread[i].case_id, unread[i].reason);
  }
  return text + fmt::format("{}. Ingest the data again.", unread.size() > 5 ? " and others" : "");
}

// Every table says what was done to small regions.
std::string describe_processing(const std::vector<evaluation::RegionMinimum>& minimums) {
  if (minimums.empty()) return "no post-processing by size";
  std::string text = "beside the regions: ";
  for (const auto& rule : minimums) {
    text += fmt::format("{}{} ({} of fewer than {} voxels {})", text.back() == ' ' ? "" : ", ",
                        rule.name(), rule.region, rule.voxels,
                        rule.relabel ? "becomes necrosis" : "counts as empty");
  }
  return text;
}

// Brings together on rank 0 what each rank found, as if it had found it all. Returns whether this
// is the rank that goes on.
bool gather_findings(comm::Communicator& ranks, const data::Cohort& cohort,
                     const std::vector<int>& cases, evaluation::Findings& findings,
                     evaluation::OverlayWriter& overlays) {
  if (ranks.size() == 1) return true;
  std::vector<std::string> all;
  const auto result =
      comm::gather_texts(ranks, evaluation::pack(findings, overlays), all, kLongestWait);
  if (!result.ok()) throw comm::PeerLost(result.text);
  if (ranks.rank() != 0) return false;
  findings = {};
  for (const std::string& each : all) evaluation::unpack(each, findings, overlays);
  evaluation::sort_findings(findings, cohort, cases);
  return true;
}

void run(const EvalArguments& arguments, comm::Communicator& ranks) {
  const bool first = ranks.rank() == 0;
  const worker::LoadedModel model = worker::load_model(arguments.run);
  const int gpu = ranks.size() > 1 ? comm::suggest_gpu(ranks) : 0;
  worker::place(*model.method, worker::set_up_device(model.config, std::max(0, gpu)));
  const data::Cohort cohort = open_data(arguments, model);
  const std::string split = arguments.split.empty() ? model.config.split : arguments.split;
  evaluation::EvaluationOptions options;
  const std::string part = arguments.part.empty() ? default_part(cohort, split) : arguments.part;
  const std::vector<int> cases = scored_cases(cohort, split, part);
  const worker::Contact contact = check_unseen(arguments, model, cohort, part, cases);
  options.subsets = read_subsets(arguments, cohort.modalities);
  options.score.hd95 = evaluation::parse_hd95(arguments.hd95);
  options.score.one_empty_mm = arguments.one_empty_mm;
  options.score.dice_smooth = arguments.dice_smooth;
  apply(arguments.scores, options.score);
  options.score.scores.require_regions(cohort.regions, cohort.directory.string());
  evaluation::require_known(options.score.minimums, cohort.regions);
  options.mirrored = arguments.mirrored;
  options.rankseg = arguments.decode == "rankseg";
  options.calibration = arguments.calibration;
  options.score.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.hd95 = !arguments.without_hd95;
  options.patch = model.config.patch;
  std::optional<monitoring::EvaluationRecord> other;
  if (!arguments.against.empty()) {
    other = read_other(arguments, options.score, part, cases, cohort);
  }
  // What cannot be written is said before the hours of work.
  const fs::path out = output_directory(arguments, model, split + "-" + part);
  if (first) require_writable(posix_file_system(), out);
  options.cases = cases;
  if (ranks.size() > 1) {
    options.cases = evaluation::deal_cases(
        cohort, cases,
        evaluation::served_subsets(*model.method, cohort.modalities, options.subsets), ranks.size(),
        ranks.rank());
  }
  // Of several ranks the first one tells how far it is with its own cases.
  Progress progress("eval", "cases", static_cast<std::int64_t>(options.cases.size()),
                    progress_style(arguments.quiet || !first));
  options.progress = [&](int done, int) {
    progress.update(done);
    return true;
  };
  evaluation::OverlayWriter overlays(cohort);
  options.keep = [&](int index, data::SubsetMask subset, const std::vector<std::uint8_t>& mask) {
    overlays.keep(index, subset, mask);
  };
  evaluation::Findings findings;
  options.unread = [&](const evaluation::UnreadCase& each) {
    log::warn("case {} is left out: {}", each.case_id, each.reason);
    findings.unread.push_back(each);
  };
  findings.scores = evaluation::evaluate(*model.method, cohort, options);
  progress.finish();
  if (!gather_findings(ranks, cohort, cases, findings, overlays)) return;
  const auto& [scores, unread] = findings;
  if (scores.empty()) throw DataError(describe_unread(unread, cases.size()));

  evaluation::FurtherScores further;
  for (const auto& minimum : options.score.minimums) further.processed.push_back(minimum.name());
  for (const auto& column : options.score.scores.columns()) {
    further.columns.push_back(column.name());
  }
  if (options.calibration) {
    further.columns.insert(further.columns.end(), evaluation::kCalibrationColumns.begin(),
                           evaluation::kCalibrationColumns.end());
  }
  const auto summary =
      evaluation::summarise(scores, cohort.modalities, cohort.regions, options.hd95, further);
  Json about = {{"method", model.config.method},
                {"run", model.config.hash},
                {"checkpoint", model.checkpoint.filename().string()},
                {"step", model.step},
                {"split", split},
                {"part", part},
                {"cohort", cohort.fingerprint},
                {"profile", cohort.profile},
                {"decode", arguments.decode},
                {"mirrored", arguments.mirrored},
                {"arguments", arguments.given},
                {"version", build_info().version},
                {"commit", build_info().commit}};
  for (const auto& each : unread) {
    about["missing_cases"].push_back({{"case", each.case_id}, {"reason", each.reason}});
  }
  const std::string note = contact.note(cases.size());
  if (!note.empty()) about["note"] = note;
  if (other) {
    write_durably(posix_file_system(), out / "comparison.csv",
                  compare_with(std::move(*other), scores, cohort));
  }
  overlays.write(posix_file_system(), out / "overlays", scores);
  evaluation::write_tables(posix_file_system(), out, scores, cohort.modalities, summary,
                           options.score, about);
  if (arguments.json) {
    fmt::print(
        "{}\n",
        evaluation::summary_json(summary, cohort.modalities, options.score, about, scores).dump(2));
  } else if (!arguments.quiet) {
    fmt::print("{}\n{}{} cases of {}, part {}; step {}; HD95 {}; {}; {}\nwritten to {}\n",
               evaluation::markdown_table(summary, cohort.modalities),
               note.empty() ? "" : note + "\n", summary.cases, split, part, model.step,
               arguments.hd95, evaluation::describe_empty_rule(options.score),
               describe_processing(options.score.minimums), out.string());
  }
  // After everything is written: the scores of the others are good.
  if (!unread.empty()) throw DataError(describe_unread(unread, cases.size()));
}

}  // namespace

void add_eval(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("eval", "Dice and HD95 over all modality subsets");
  auto arguments = std::make_shared<EvalArguments>();
  command->add_option("run", arguments->run, "Run directory (best checkpoint) or a checkpoint");
  auto* merged = command->add_option("--merge", arguments->merged,
                                     "Runs of a family, one per subset (method_options.subset), "
                                     "each evaluated before: their 15-subset tables into --out");
  command->add_option("--data", arguments->data, "Cache to evaluate on (default: the run's)");
  command->add_option("--split", arguments->split, "Split of the cohort (default: the run's)");
  command->add_option("--part", arguments->part,
                      "Part of the split (default: test where it has one, else validation)");
  command->add_flag("--seen-cases", arguments->seen_cases,
                    "Score test cases although the run was trained on them");
  command->add_option("--subsets", arguments->subsets, "all, or a list: FLAIR+T1c,T2")
      ->delimiter(',');
  command->add_option("--hd95", arguments->hd95, "directed (MONAI) or pooled (medpy)")
      ->capture_default_str();
  command
      ->add_option("--one-empty-mm", arguments->one_empty_mm,
                   "HD95 when exactly one of truth and prediction is empty; some papers take 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--dice-smooth", arguments->dice_smooth,
                   "Added to numerator and denominator of Dice; some papers take 1")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_score_options(*command, arguments->scores);
  command
      ->add_option("--decode", arguments->decode,
                   "threshold, or rankseg: the mask of the largest expected Dice")
      ->check(CLI::IsMember({"threshold", "rankseg"}))
      ->capture_default_str();
  command->add_flag("--mirrored", arguments->mirrored,
                    "Mean over the 8 mirrored forms of each window: 8 times the work");
  command->add_flag("--calibration", arguments->calibration,
                    "Calibration of the probabilities: ECE, ACE, MCE, Brier score, log loss");
  command->add_option("--against", arguments->against,
                      "Directory of another evaluation: paired tests into comparison.csv");
  command->add_flag("--no-hd95", arguments->without_hd95, "Dice only");
  command->add_option("--out", arguments->out, "Directory of the tables (default: in the run)");
  command->add_flag("--json", arguments->json, "Print the summary as JSON");
  command->add_flag("--quiet", arguments->quiet, "Print errors only");
  command
      ->add_option("--ranks", arguments->ranks,
                   "Processes that share the cases; the numbers are those of one")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->footer("Example: lacuna eval runs/mckd --subsets all --hd95 directed");
  command->callback([command, arguments, merged, &code] {
    arguments->given = deciding_options(*command);
    if (merged->count() > 0) {
      auto runs = arguments->merged;
      if (!arguments->run.empty()) runs.insert(runs.begin(), arguments->run);
      return merge_evaluations({runs, arguments->out, arguments->split, arguments->part,
                                arguments->json, arguments->quiet});
    }
    if (arguments->run.empty()) {
      throw_error<ConfigError>("name a run directory or a checkpoint, or several with --merge");
    }
    code = run_on_ranks(arguments->ranks, own_arguments(), [&](auto ranks) {
      if (ranks->rank() > 0) log::set_rank(ranks->rank());
      run(*arguments, *ranks);
      return ExitCode::kDone;
    });
  });
}

}  // namespace lacuna::app

#include "data/ingest/ingest.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/grouped_writes.h"
#include "base/files/hash.h"
#include "base/process/parallel.h"
#include "base/text/log.h"
#include "data/cohorts/foreign_table.h"
#include "data/cohorts/profile_choice.h"
#include "data/ingest/cohort_grid.h"

namespace lacuna::data {
namespace {

// What is in the way at the output: an earlier run of the same cohort, or something else.
std::optional<Cohort> earlier_cohort(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory / "cohort.json")) return std::nullopt;
  try {
    return open_cohort(directory);
  } catch (const DataError& error) {
    if (std::string(error.what()).find("format version") != std::string::npos) throw;
    log::warn("{} It is made anew from the cases that are there.", error.what());
    return std::nullopt;
  }
}

// The case file of an earlier run when it is whole and made from the same files.
std::optional<CaseInfo> keep_case(const std::filesystem::path& path, const SourceCase& source,
                                  const Profile& profile, const CaseRules& rules) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const CaseHeader header = read_header(path);
    if (!is_up_to_date(header, source, profile, rules)) return std::nullopt;
    CaseInfo info = header.info;
    info.bytes = std::filesystem::file_size(path);
    return info;
  } catch (const DataError& error) {
    log::warn("{} It is made again.", error.what());
    return std::nullopt;
  }
}

// A failure to write ends the run: what is wrong with the disk is wrong for every case.
template <typename Write>
void writing(const Write& write) {
  try {
    write();
  } catch (const DataError& error) {
    throw_error<Error>("{} Finished cases are kept: run the same command again to go on.",
                       error.what());
  }
}

// A value that another data set of such names has does not make its case wrong: it says that all
// cases are of that data set, also those whose values fit both.
void suspect_data_set(const Profile& profile,
                      const std::map<std::string, std::vector<int>>& strange,
                      const std::filesystem::path& input) {
  for (const auto& [id, values] : strange) {
    const std::vector<std::string> others = profiles_with_values(profile, id, values);
    if (others.empty()) continue;
    throw_error<DataError>(
        "{}: case {} has label values {}, which profile {} does not have and {} has: the whole "
        "data "
        "set may be numbered so, also where the values fit both. Choose --profile {}, or take the "
        "case out if it alone is wrong.",
        input.string(), id, fmt::join(values, ", "), profile.name, fmt::join(others, ", "),
        others.front());
  }
}

void warn_of_leavers(const std::optional<Cohort>& earlier, const Cohort& cohort,
                     const SourceCohort& source) {
  if (!earlier) return;
  std::set<std::string> present;
  for (const CaseInfo& info : cohort.cases) present.insert(info.id);
  for (const SourceCase& found : source.cases) present.insert(found.name.id);
  std::int64_t gone = 0;
  for (const CaseInfo& info : earlier->cases) gone += present.count(info.id) == 0;
  if (gone > 0) {
    log::warn("{} cases of the earlier cohort are no longer in --in and leave it; their files stay",
              gone);
  }
}

std::size_t count_cases(const Splits& splits) {
  std::set<std::string> ids;
  for (const auto& [name, parts] : splits) {
    for (const auto& [part, members] : parts) ids.insert(members.begin(), members.end());
  }
  return ids.size();
}

bool is_fold(const std::string& name) { return name.starts_with("fold"); }

// What the cache gave each case, also those that are away: they get their parts back.
Splits remembered(const Cohort& earlier) {
  Splits all = earlier.splits;
  for (const auto& [name, parts] : earlier.departed) {
    for (const auto& [part, ids] : parts) {
      auto& into = all[name][part];
      into.insert(into.end(), ids.begin(), ids.end());
      std::sort(into.begin(), into.end());
    }
  }
  return all;
}

void check_deal(const IngestOptions& options, const Cohort& earlier) {
  const auto refuse = [&](const char* option, std::uint64_t wanted, std::uint64_t there) {
    throw_error<ConfigError>(
        "{} {}: the folds of {} were dealt with {}, and folds stay as they are once they are "
        "written. Leave {} out, or deal them anew with --redeal: runs that were trained before "
        "have then seen test cases.",
        option, wanted, earlier.directory.string(), there, option);
  };
  if (earlier.deal.folds == 0) return;
  if (options.folds && *options.folds != earlier.deal.folds) {
    refuse("--folds", static_cast<std::uint64_t>(*options.folds),
           static_cast<std::uint64_t>(earlier.deal.folds));
  }
  if (options.seed && *options.seed != earlier.deal.seed) {
    refuse("--seed", *options.seed, earlier.deal.seed);
  }
}

// Generated splits are dealt once and then kept; so are lists of the user.
void set_splits(const IngestOptions& options, Cohort& cohort,
                const std::optional<Cohort>& earlier) {
  const SplitOptions deal{options.folds.value_or(SplitOptions().folds),
                          options.seed.value_or(SplitOptions().seed)};
  Splits fresh = make_splits(cohort.cases, deal);
  cohort.deal = {deal.folds, deal.seed};
  if (!earlier) {
    cohort.splits = std::move(fresh);
    return;
  }
  Splits kept = remembered(*earlier);
  cohort.listed = earlier->listed;
  cohort.split_available = earlier->split_available;
  if (options.redeal) {
    std::erase_if(kept, [&](const auto& split) { return cohort.listed.count(split.first) == 0; });
  } else {
    check_deal(options, *earlier);
    if (earlier->deal.folds != 0) cohort.deal = earlier->deal;
  }
  cohort.departed = departed_cases(kept, cohort.cases);
  cohort.splits = grow_splits(kept, cohort.listed, cohort.cases);
  for (const auto& [name, parts] : cohort.departed) {
    if (cohort.listed.count(name) > 0) {
      log::warn("split {}: {} of its cases are not in the cohort now; they keep their parts", name,
                count_cases({{name, parts}}));
    }
  }
  // A cohort of one patient had no folds, and lists may stand in for them.
  const bool has_folds = std::any_of(cohort.splits.begin(), cohort.splits.end(),
                                     [](const auto& split) { return is_fold(split.first); });
  for (auto& [name, parts] : fresh) {
    if (!has_folds || !is_fold(name)) cohort.splits.try_emplace(name, std::move(parts));
  }
}

void add_lists(const IngestOptions& options, Cohort& cohort, IngestReport& report) {
  if (!options.splits_file) return;
  SplitLists lists =
      read_splits({*options.splits_file, options.mask_order, options.allow_split_patients},
                  cohort.cases, cohort.modalities);
  report.splits_form = lists.form;
  const bool brings_folds = std::any_of(lists.splits.begin(), lists.splits.end(),
                                        [](const auto& split) { return is_fold(split.first); });
  if (brings_folds) {  // instead of generated ones, which nobody should take for them
    std::erase_if(cohort.splits, [&](const auto& split) {
      return is_fold(split.first) && cohort.listed.count(split.first) == 0;
    });
  }
  for (auto& [name, parts] : lists.splits) {
    const auto there = cohort.splits.find(name);
    if (there != cohort.splits.end() && there->second != parts) {
      log::warn("split {} is replaced by that of {}", name, options.splits_file->string());
    }
    cohort.listed.insert(name);
    cohort.departed.erase(name);
    cohort.split_available.erase(name);
    if (lists.available.count(name) > 0) cohort.split_available[name] = lists.available[name];
    cohort.splits[name] = std::move(parts);
  }
}

// Folds of format version 1 were dealt case by case, and lists may insist.
void warn_of_torn_patients(const Cohort& cohort) {
  for (const auto& [name, parts] : cohort.splits) {
    const auto torn = split_patients(parts, cohort.cases);
    if (torn.empty()) continue;
    log::warn(
        "split {}: {} patients have cases in more than one part ({} in {}): its test numbers are "
        "too good.{}",
        name, torn.size(), torn[0].patient, fmt::join(torn[0].parts, " and "),
        cohort.listed.count(name) > 0 ? ""
                                      : " It was dealt by an earlier version and is kept as it is; "
                                        "deal the folds anew with --redeal.");
  }
}

void warn_of_missing_labels(const Cohort& cohort) {
  const auto labelled = std::count_if(cohort.cases.begin(), cohort.cases.end(),
                                      [](const CaseInfo& info) { return info.has_label; });
  if (labelled == 0) {
    log::warn(
        "none of the {} cases has a label: there are no splits to train or evaluate on. Such a "
        "cohort is for: lacuna predict",
        cohort.cases.size());
  } else if (labelled < std::ssize(cohort.cases)) {
    log::warn("{} of {} cases have no label and are in no split",
              std::ssize(cohort.cases) - labelled, cohort.cases.size());
  }
}

std::uint64_t source_size(const SourceCase& source) {
  std::uint64_t bytes = source.label.empty() ? 0 : std::filesystem::file_size(source.label);
  for (const Path& path : source.images) {
    if (!path.empty()) bytes += std::filesystem::file_size(path);
  }
  if (!source.channels.empty() && source.channels[0] >= 0) {  // one file has all
    bytes = std::filesystem::file_size(source.images[0]);
  }
  return bytes;
}

}  // namespace

IngestReport ingest(const IngestOptions& options, FileSystem& files) {
  if (options.rules.codec != "none" && options.rules.codec != "lz4") {
    throw_error<ConfigError>("unknown codec \"{}\"; known: none, lz4", options.rules.codec);
  }
  const double start = steady_clock().seconds();
  const std::optional<Cohort> earlier = earlier_cohort(options.output);
  SourceCohort source =
      scan_source(options.input, options.profile, earlier ? earlier->profile : "");
  const Profile& profile = *source.profile;
  if (earlier && earlier->profile != profile.name) {
    throw_error<DataError>(
        "{}: holds a cohort of profile {}, the input is {}. Choose another --out.",
        options.output.string(), earlier->profile, profile.name);
  }
  for (const std::string& line :
       find_label_maps(options.label_maps, profile.modalities, source.cases)) {
    log::info("{}", line);
  }
  // A cache of before, which states no grid, goes on as it is.
  CaseRules rules = options.rules;
  rules.grid = earlier ? earlier->grid : common_grid(source.cases, options.jobs);
  if (const std::string odd = rules.grid ? unlike_published(profile, *rules.grid) : "";
      !odd.empty()) {
    log::warn("{}", odd);
  }
  files.make_directories(options.output / "cases");

  IngestReport report;
  report.why_profile = source.why;
  report.licence = profile.licence;
  Cohort& cohort = report.cohort;
  cohort.directory = options.output;
  cohort.profile = profile.name;
  cohort.modalities = ModalitySet(profile.modalities);
  cohort.regions = profile.regions;
  cohort.grid = rules.grid;

  std::mutex mutex;
  std::map<std::string, std::vector<int>> strange;  // cases with other label values: all of theirs
  std::map<Remark::Kind, std::vector<std::string>> remarks;
  const auto total = static_cast<std::int64_t>(source.cases.size());
  Progress progress("ingest", "cases", total, options.progress);
  GroupedWrites writes(files, static_cast<std::size_t>(options.jobs));
  parallel_for(options.jobs, total, [&](std::int64_t i) {
    const SourceCase& found = source.cases[static_cast<std::size_t>(i)];
    const std::string file = "cases/" + found.name.id + ".h5";
    const std::filesystem::path path = options.output / file;
    try {
      std::optional<CaseInfo> info = keep_case(path, found, profile, rules);
      const bool kept = info.has_value();
      if (!kept) {
        CaseBytes made = ingest_case(found, profile, rules);
        writing([&] { writes.add(path, std::move(made.bytes)); });
        info = made.header.info;
        const std::lock_guard lock(mutex);
        for (const Remark& remark : made.remarks) remarks[remark.kind].push_back(remark.text);
      }
      info->file = file;
      info->patient = found.name.patient.empty() ? found.name.id : found.name.patient;
      info->visit = found.name.visit;
      const std::lock_guard lock(mutex);
      (kept ? report.kept : report.made) += 1;
      if (!kept) report.source_bytes += source_size(found);
      report.cache_bytes += info->bytes;
      cohort.cases.push_back(std::move(*info));
    } catch (const LabelError& error) {
      const std::lock_guard lock(mutex);
      cohort.refused.push_back({found.name.id, to_utf8(error.what())});
      strange.emplace(found.name.id, error.values);
    } catch (const LabelMapError& error) {
      const std::lock_guard lock(mutex);
      ++report.bad_label_maps;
      cohort.refused.push_back({found.name.id, to_utf8(error.what())});
    } catch (const DataError& error) {
      const std::lock_guard lock(mutex);
      cohort.refused.push_back({found.name.id, to_utf8(error.what())});
    } catch (const std::bad_alloc&) {
      const std::lock_guard lock(mutex);
      cohort.refused.push_back(
          {found.name.id, to_utf8(found.directory.string()) +
                              ": not enough memory for it. Use fewer --jobs, or check its "
                              "files: a damaged header asks for too much."});
    }
    progress.advance();
  });
  writing([&] { writes.finish(); });
  progress.finish();
  for (auto& [kind, texts] : remarks) {
    std::sort(texts.begin(), texts.end());
    log::warn("{}{}", texts.front(),
              texts.size() > 1 ? fmt::format(" (and {} more files)", texts.size() - 1) : "");
  }
  suspect_data_set(profile, strange, options.input);
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(cohort.cases.begin(), cohort.cases.end(), by_id);
  std::sort(cohort.refused.begin(), cohort.refused.end(), by_id);
  if (cohort.cases.empty() && report.bad_label_maps == std::ssize(cohort.refused)) {
    throw_error<ConfigError>("--extra: no label map fits its case. The first: {}",
                             cohort.refused.front().reason);
  }
  if (cohort.cases.empty()) {
    throw_error<DataError>("{}: none of {} cases can be used. The first: {}",
                           options.input.string(), cohort.refused.size(),
                           cohort.refused.front().reason);
  }
  warn_of_leavers(earlier, cohort, source);
  set_splits(options, cohort, earlier);
  add_lists(options, cohort, report);
  warn_of_torn_patients(cohort);
  warn_of_missing_labels(cohort);
  report.cohort_changed = write_cohort(files, cohort);
  report.seconds = steady_clock().seconds() - start;
  return report;
}

}  // namespace lacuna::data

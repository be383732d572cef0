#include "data/ingest/ingest.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/process/parallel.h"
#include "base/text/log.h"

namespace lacuna::data {
namespace {

// What is in the way at the output: an earlier run of the same cohort, or something else.
std::optional<Cohort> earlier_cohort(const std::filesystem::path& directory,
                                     const Profile& profile) {
  if (!std::filesystem::exists(directory / "cohort.json")) return std::nullopt;
  Cohort earlier;
  try {
    earlier = open_cohort(directory);
  } catch (const DataError& error) {
    if (std::string(error.what()).find("format version") != std::string::npos) throw;
    log::warn("{} It is made anew from the cases that are there.", error.what());
    return std::nullopt;
  }
  if (earlier.profile != profile.name) {
    throw_error<DataError>(
        "{}: holds a cohort of profile {}, the input is {}. Choose another --out.",
        directory.string(), earlier.profile, profile.name);
  }
  return earlier;
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
void write_case(FileSystem& files, const std::filesystem::path& path,
                const std::vector<std::byte>& bytes) {
  try {
    write_durably(files, path, bytes);
  } catch (const DataError& error) {
    throw_error<Error>("{} Finished cases are kept: run the same command again to go on.",
                       error.what());
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

// Generated splits, the fixed lists of the user, and those of an earlier run.
Splits all_splits(const IngestOptions& options, const Cohort& cohort,
                  const std::optional<Cohort>& earlier) {
  Splits splits = make_splits(cohort.cases, options.splits);
  std::set<std::string> known;
  for (const CaseInfo& info : cohort.cases) known.insert(info.id);
  if (earlier) {
    for (const auto& [name, parts] : earlier->splits) {
      if (name == "all" || name.starts_with("fold")) continue;
      const bool whole = std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
        return std::all_of(part.second.begin(), part.second.end(),
                           [&](const std::string& id) { return known.count(id) > 0; });
      });
      if (whole) {
        splits[name] = parts;
      } else {
        log::warn("split {} names cases that are gone and is dropped; give --splits again", name);
      }
    }
  }
  if (options.splits_file) {
    for (auto& [name, parts] : read_splits(*options.splits_file, cohort.cases)) {
      splits[name] = std::move(parts);
    }
  }
  return splits;
}

std::uint64_t source_size(const SourceCase& source) {
  std::uint64_t bytes = source.label.empty() ? 0 : std::filesystem::file_size(source.label);
  for (const Path& path : source.images) {
    if (!path.empty()) bytes += std::filesystem::file_size(path);
  }
  return bytes;
}

}  // namespace

IngestReport ingest(const IngestOptions& options, FileSystem& files) {
  if (options.rules.codec != "none" && options.rules.codec != "lz4") {
    throw_error<ConfigError>("unknown codec \"{}\"; known: none, lz4", options.rules.codec);
  }
  const double start = steady_clock().seconds();
  const SourceCohort source = scan_source(options.input, options.profile);
  const Profile& profile = *source.profile;
  const std::optional<Cohort> earlier = earlier_cohort(options.output, profile);
  files.make_directories(options.output / "cases");

  IngestReport report;
  report.why_profile = source.why;
  Cohort& cohort = report.cohort;
  cohort.directory = options.output;
  cohort.profile = profile.name;
  cohort.modalities = ModalitySet(profile.modalities);
  cohort.regions = profile.regions;

  std::mutex mutex;
  const auto total = static_cast<std::int64_t>(source.cases.size());
  Progress progress("ingest", "cases", total, options.progress);
  parallel_for(options.jobs, total, [&](std::int64_t i) {
    const SourceCase& found = source.cases[static_cast<std::size_t>(i)];
    const std::string file = "cases/" + found.name.id + ".h5";
    const std::filesystem::path path = options.output / file;
    try {
      std::optional<CaseInfo> info = keep_case(path, found, profile, options.rules);
      const bool kept = info.has_value();
      if (!kept) {
        CaseBytes made = ingest_case(found, profile, options.rules);
        write_case(files, path, made.bytes);
        info = made.header.info;
      }
      info->file = file;
      const std::lock_guard lock(mutex);
      (kept ? report.kept : report.made) += 1;
      if (!kept) report.source_bytes += source_size(found);
      report.cache_bytes += info->bytes;
      cohort.cases.push_back(std::move(*info));
    } catch (const DataError& error) {
      const std::lock_guard lock(mutex);
      cohort.refused.push_back({found.name.id, error.what()});
    }
    progress.advance();
  });
  progress.finish();
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(cohort.cases.begin(), cohort.cases.end(), by_id);
  std::sort(cohort.refused.begin(), cohort.refused.end(), by_id);
  if (cohort.cases.empty()) {
    throw_error<DataError>("{}: none of {} cases can be used. The first: {}",
                           options.input.string(), cohort.refused.size(),
                           cohort.refused.front().reason);
  }
  warn_of_leavers(earlier, cohort, source);
  cohort.splits = all_splits(options, cohort, earlier);
  report.cohort_changed = write_cohort(files, cohort);
  report.seconds = steady_clock().seconds() - start;
  return report;
}

}  // namespace lacuna::data

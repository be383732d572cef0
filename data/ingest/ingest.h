// Makes a cache from a directory of NIfTI files: every case checked, cropped and measured.
//
// Parallel over cases, atomic per case, resumable: a case whose file is there and up to date is
// kept, so a second run does nothing and an interrupted one goes on. Bad cases are refused, each
// with its reason, and the good ones kept. cohort.json is written last.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/progress.h"
#include "data/cache/cohort.h"
#include "data/cohorts/split_lists.h"
#include "data/cohorts/splits.h"
#include "data/ingest/ingest_case.h"

namespace lacuna::data {

struct IngestOptions {
  std::filesystem::path input, output;
  std::string profile = "auto";
  int jobs = 1;  // cases at a time
  CaseRules rules;
  // Of folds that are dealt now; given for a cache whose folds were dealt otherwise: an error.
  std::optional<int> folds;
  std::optional<std::uint64_t> seed;
  bool redeal = false;  // deal the folds anew instead of keeping those of the cache
  std::optional<std::filesystem::path> splits_file;
  std::vector<std::string> mask_order;  // of a list of masks in `splits_file`
  bool allow_split_patients = false;
  // Label maps beside the label: name and directory (data/ingest/cohort_grid.h).
  std::vector<std::pair<std::string, std::filesystem::path>> label_maps = {};
  ProgressStyle progress = ProgressStyle::kQuiet;
};

struct IngestReport {
  Cohort cohort;  // cohort.refused: what was not taken, and why
  std::string why_profile, licence;
  std::int64_t made = 0, kept = 0;
  std::int64_t bad_label_maps = 0;                  // cases that were refused for a label map alone
  std::uint64_t source_bytes = 0, cache_bytes = 0;  // of the made cases; of all
  bool cohort_changed = false;
  std::string splits_form;  // what `splits_file` was recognised as
  double seconds = 0;
};

// Throws DataError: no such directory, no cases, no usable case, a cache of another format version
// or profile in the way, or the cache cannot be written (what is finished stays). ConfigError: bad
// options or splits file; no usable case since none of the label maps fits.
IngestReport ingest(const IngestOptions& options, FileSystem& files);

}  // namespace lacuna::data

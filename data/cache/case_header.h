// What a case file says about itself: everything except its voxels. Stored as attributes of the
// HDF5 root (docs/file-formats.md) and protected by a checksum of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "data/cache/h5_check.h"

namespace lacuna::data {

// Of cohort.json. Raised when the meaning of a byte changes; other versions are refused.
inline constexpr int kCacheFormatVersion = 1;
// Of a case file: what is written. Files of version 1 are read, too: they have ten statistics per
// modality in place of sixteen.
inline constexpr int kCaseFormatVersion = 2;

// A file that the case was made from.
struct SourceFile {
  std::string name;  // without directory; "" for a modality that is absent
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;  // since 1970: a hint; the checksum decides
  std::string checksum;          // XXH3 of the file as it lies on disk (compressed)
};

// A label map per modality, kept beside the label (DataRecipe::label_maps).
struct StoredLabelMap {
  std::string name;  // the data set is "extras/<name>"
  int classes = 0;   // its largest value is classes - 1
};

struct CaseHeader {
  int version = kCaseFormatVersion;  // of the file
  CaseInfo info;                     // except file, bytes and checksum, which only the cohort knows
  std::string profile;
  std::vector<std::string> modalities;
  std::vector<Region> regions;
  std::vector<IntensityStatistics> statistics;  // per modality
  std::vector<SourceFile> sources;  // per modality, then the label, then each map per modality
  std::string orientation;  // of the stored axes, "LPS"; "": as they lay in the files, unknown
  std::vector<StoredLabelMap> label_maps;
  std::string codec = "none";         // or "lz4"
  std::string element = "int16";      // or "float16"
  std::vector<double> scale, offset;  // per modality: intensity = stored * scale + offset
  std::map<std::string, std::string> checksums;  // data set -> XXH3 of its elements, row-major

  // XXH3 of everything that identifies the case: not the codec, names or times of source files, so
  // that equal data have equal fingerprints.
  std::string checksum() const;
};

void write_header(hid_t file, const CaseHeader& header);

// Throws DataError: not a case file, another format version, or its checksum does not fit.
CaseHeader read_header(hid_t file, const std::string& path);

// Opens a case file read-only and reads the header alone.
CaseHeader read_header(const std::filesystem::path& path);

}  // namespace lacuna::data

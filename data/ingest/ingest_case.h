// One case from its NIfTI files to the bytes of its case file: reads, checks, measures, crops.
//
// Pure but for reading the files; thread-safe. Peak memory: about 100 MB for 240 x 240 x 155.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/cache/case_header.h"
#include "data/cache/case_layout.h"
#include "data/cohorts/source.h"
#include "data/nifti/nifti_header.h"

namespace lacuna::data {

// Something odd about a case that is taken all the same.
struct Remark {
  enum class Kind { kContradiction, kNoPosition, kBackground, kCap, kFullLabel };
  Kind kind;
  std::string text;
};

struct CaseBytes {
  CaseHeader header;
  std::vector<std::byte> bytes;
  std::vector<Remark> remarks;
};

// Label values that the profile does not have.
class LabelError : public DataError {
 public:
  LabelError(const std::string& text, std::vector<int> all)
      : DataError(text), values(std::move(all)) {}
  std::vector<int> values;  // all of the file but 0
};

// A label map that does not fit its case, or is none.
class LabelMapError : public DataError {
 public:
  using DataError::DataError;
};

struct CaseRules {
  std::string codec = "none";
  bool allow_missing = false;  // keep a case that lacks modalities
  // To which axes volumes are turned and which voxel size they must have; none: those of the case's
  // first file. An orientation of "" leaves every file as it lies.
  std::optional<Grid> grid = std::nullopt;
  bool resample = false;  // to the grid's voxel size, in place of refusing the case
};

// Files of the case may differ in their axes: each is turned to those of the rules. Throws
// DataError with file, reason and remedy: unreadable or damaged file, shapes or positions that
// differ within the case, another voxel size than the rules', NaN or infinite voxels, labels
// outside the profile, an image without content, a missing modality; LabelMapError where it is a
// label map that lacks a modality's file, cannot be read or lies on another grid.
CaseBytes ingest_case(const SourceCase& source, const Profile& profile, const CaseRules& rules);

// Labels (D x H x W) of a case that ingest_case() made, on the grid of one of its files: resampled
// (nearest) and turned back.
std::vector<std::uint8_t> on_file_grid(std::vector<std::uint8_t> labels, const CaseHeader& made,
                                       const NiftiHeader& file);
// The same of a map of real values, linearly.
std::vector<float> on_file_grid(std::vector<float> map, const CaseHeader& made,
                                const NiftiHeader& file);

// True when `header` was made from these very files by the same rules: names and sizes equal, and
// times or, failing that, checksums too.
bool is_up_to_date(const CaseHeader& header, const SourceCase& source, const Profile& profile,
                   const CaseRules& rules);

}  // namespace lacuna::data

// One case from its NIfTI files to the bytes of its case file: reads, checks, measures, crops.
//
// Pure but for reading the files; thread-safe. Peak memory: about 100 MB for 240 x 240 x 155.
#pragma once

#include <cstddef>
#include <vector>

#include "base/error.h"
#include "data/cache/case_header.h"
#include "data/cache/case_layout.h"
#include "data/cohorts/source.h"

namespace lacuna::data {

struct CaseBytes {
  CaseHeader header;
  std::vector<std::byte> bytes;
};

// Label values that the profile does not have.
class LabelError : public DataError {
 public:
  LabelError(const std::string& text, std::vector<int> all)
      : DataError(text), values(std::move(all)) {}
  std::vector<int> values;  // all of the file but 0
};

struct CaseRules {
  std::string codec = "none";
  bool allow_missing = false;  // keep a case that lacks modalities
};

// Throws DataError with file, reason and remedy: unreadable or damaged file, shapes or positions
// that differ within the case, NaN or infinite voxels, labels outside the profile, an image
// without content, a missing modality.
CaseBytes ingest_case(const SourceCase& source, const Profile& profile, const CaseRules& rules);

// True when `header` was made from these very files by the same rules: names and sizes equal, and
// times or, failing that, checksums too.
bool is_up_to_date(const CaseHeader& header, const SourceCase& source, const Profile& profile,
                   const CaseRules& rules);

}  // namespace lacuna::data

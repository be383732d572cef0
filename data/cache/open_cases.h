// The cases that loader threads read from: each opened and verified once, on first use, and kept
// mapped. A case that cannot be read is reported once and stays out.
//
// Thread-safe. The cohort must outlive the object.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/cache/case_file.h"
#include "data/cache/cohort.h"
#include "data/cache/staging.h"

namespace lacuna::data {

class OpenCases {
 public:
  // Up to `corrupt_limit` unreadable cases are left out with a warning. staged: copies that are
  // read instead of the cache's files; may be null, must outlive the object.
  OpenCases(const Cohort& cohort, int corrupt_limit, const StagedCases* staged = nullptr);

  // nullptr: the case is left out. Throws DataError, naming case and file, when there are more
  // unreadable cases than the limit.
  const CaseFile* find(int case_index);

  // Leaves a case out that was readable and no longer is; its CaseFile lives on for other threads.
  void lose(int case_index, const std::string& problem);

  std::int64_t skipped() const;

 private:
  struct Entry {
    std::once_flag once;
    std::unique_ptr<CaseFile> file;
    std::string problem;
    std::atomic<bool> lost{false};
  };
  void open(int case_index, Entry& entry);

  const Cohort& cohort_;
  int corrupt_limit_;
  const StagedCases* staged_;
  std::vector<Entry> entries_;
  mutable std::mutex mutex_;
  std::int64_t skipped_ = 0;
};

}  // namespace lacuna::data

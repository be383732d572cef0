// A rank's own cases copied to node-local scratch or into memory before training, so that the
// shared file system is read once. Every copy is verified by the checksums that the case carries.
//
// In a directory, copies lie under <directory>/<cohort fingerprint>/, are used again by a later
// start when they are whole, and stay there. In memory, a copy has no name once it is open: it
// vanishes with the process, however that ends. Thread-safe once made.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/cache/case_file.h"
#include "data/cache/cohort.h"

namespace lacuna::data {

class StagedCases {
 public:
  // where: "memory" or a directory. Throws DataError naming the file that cannot be copied.
  StagedCases(const Cohort& cohort, const std::vector<int>& cases, const std::string& where);

  const CaseFile* find(int case_index) const;             // nullptr: not staged
  std::uint64_t copied_bytes() const { return copied_; }  // 0 when all copies were there

 private:
  void stage_in_memory(const Cohort& cohort, int case_index);
  void stage_in_directory(const Cohort& cohort, int case_index, const Path& directory);

  std::map<int, CaseFile> files_;
  std::uint64_t copied_ = 0;
};

}  // namespace lacuna::data

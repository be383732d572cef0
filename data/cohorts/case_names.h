// Finds the case that a list means: other people write paths, endings and grades around an id.
// Immutable, thread-safe; the cases must outlive it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/cache/cohort.h"

namespace lacuna::data {

class CaseNames {
 public:
  explicit CaseNames(const std::vector<CaseInfo>& cases);

  const CaseInfo* find(const std::string& id) const;  // nullptr: no such case

  // "/data/HGG/Brats18_2013_2_1/Brats18_2013_2_1_flair.nii.gz" -> "Brats18_2013_2_1_flair":
  // directories, endings, "_vol", trailing blanks, slashes and "_" off.
  static std::string reduce(const std::string& name);

  // The id of the case: the reduced name as it is, without HG_, LG_, HGG_, LGG_ before it, in
  // another case of letters, the directory of a path, or the longest id that the name of a file
  // goes on from. The reduced name itself when it means no case.
  std::string resolve(const std::string& name) const;

 private:
  std::string lookup(const std::string& reduced) const;  // "" for none

  std::map<std::string, const CaseInfo*> by_id_;
  std::map<std::string, std::string> folded_;  // lower case -> id; "" when two ids share it
};

}  // namespace lacuna::data

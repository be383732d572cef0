// The score by which the best checkpoint is chosen: mean Dice over subsets, cases and regions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/cache/case_file.h"
#include "data/cache/cohort.h"
#include "methods/method.h"
#include "worker/run/rank_group.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct ValidationScore {
  double score = 0;  // of no case: 0
  // {"score", "regions": {"ET": ..}, "subsets": {"FLAIR": ..}, "table": {"FLAIR": {"ET": ..}},
  // "cases" (scored), "seconds"}, with HD95 also "hd95", in mm, as "table"; when some could not be
  // read, "skipped_cases" (how many) and "skipped": [{"case", "reason"}] (the first of them).
  Json detail;
};

// Validation cases: each is opened and verified from end to end once per process, and stays mapped.
class ValidationCases {
 public:
  // The cohort must outlive the object.
  explicit ValidationCases(const data::Cohort& cohort) : cohort_(cohort) {}
  // Throws DataError, the same again for a case that could not be read before.
  const data::CaseFile& open(const data::CaseInfo& info);

 private:
  struct Entry {
    std::unique_ptr<data::CaseFile> file;
    std::string problem;
  };
  const data::Cohort& cohort_;
  std::map<std::string, Entry> entries_;  // by case id
};

struct ValidationOptions {
  std::optional<data::Extent> patch;  // of the windows; null: the method's
  bool hd95 = false;                  // besides Dice
};

inline ValidationOptions validation_options(const RunConfig& config) {
  const Json* hd95 = find_path(config.resolved, "validate.hd95");
  return {config.patch, hd95 && hd95->get<bool>()};
}

// Scores `cases` under all subsets with the method's present weights; nullopt when `go_on`, asked
// on each rank after each of its cases, said no on one. A case that cannot be read, or is damaged,
// is left out and told of in `detail`. shared: collective over the trainers of `ranks`: case p is
// scored by rank p mod trainers, and the scores are put together in case order, so that the result
// does not depend on the number of ranks. Else this process scores all.
std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases, ValidationCases& files,
                                        const ValidationOptions& options, RankGroup& ranks,
                                        bool shared, const std::function<bool()>& go_on);

}  // namespace lacuna::worker

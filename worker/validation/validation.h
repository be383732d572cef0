// The score by which the best checkpoint is chosen: mean Dice over subsets, cases and regions.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "methods/method.h"
#include "worker/run/rank_group.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct ValidationScore {
  double score = 0;
  // {"score", "regions": {"ET": ..}, "subsets": {"FLAIR": ..}, "table": {"FLAIR": {"ET": ..}},
  // "cases", "seconds"}, with HD95 also "hd95", in mm, as "table".
  Json detail;
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
// on each rank after each of its cases, said no on one. ranks null: this process alone. Else
// collective over the trainers: case p is scored by rank p mod trainers, and the scores are put
// together in case order, so that the result does not depend on the number of ranks.
std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases,
                                        const ValidationOptions& options, RankGroup* ranks,
                                        const std::function<bool()>& go_on);

}  // namespace lacuna::worker

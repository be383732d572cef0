// The score by which the best checkpoint is chosen: mean Dice over subsets, cases and regions.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/json.h"
#include "data/cohort.h"
#include "methods/method.h"
#include "worker/rank_group.h"

namespace lacuna::worker {

struct ValidationScore {
  double score = 0;
  Json detail;  // {"score", "regions": {"ET": ..}, "subsets": {"FLAIR": ..}, "cases", "seconds"}
};

// Scores `cases` under all subsets with the method's present weights, in windows of `patch` (null:
// the method's); nullopt when `go_on`, asked on each rank after each of its cases, said no on one.
// ranks null: this process alone. Else collective over the trainers: case p is scored by rank
// p mod trainers, and the scores are put together in case order, so that the result does not
// depend on the number of ranks.
std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases,
                                        const std::optional<data::Extent>& patch, RankGroup* ranks,
                                        const std::function<bool()>& go_on);

}  // namespace lacuna::worker

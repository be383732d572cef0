// The score by which the best checkpoint is chosen: mean Dice over subsets, cases and regions.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/json.h"
#include "data/cohort.h"
#include "methods/method.h"

namespace lacuna::worker {

struct ValidationScore {
  double score = 0;
  Json detail;  // {"score", "regions": {"ET": ..}, "subsets": {"FLAIR": ..}, "cases", "seconds"}
};

// Scores `cases` under all subsets with the method's present weights, in windows of `patch` (null:
// the method's); nullopt when `go_on`, asked after each case, said no.
std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases,
                                        const std::optional<data::Extent>& patch,
                                        const std::function<bool(int done, int total)>& go_on);

}  // namespace lacuna::worker

// One evaluation of one run, read back from eval/<name>/ of its run directory.
//
// Immutable after reading, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/json.h"
#include "data/types/modality.h"
#include "evaluation/scores/case_score.h"
#include "evaluation/statistics/comparison.h"
#include "evaluation/statistics/summary.h"

namespace lacuna::monitoring {

enum class Metric { kDice, kHd95 };

struct EvaluationRecord {
  std::string name;  // "<split>-<part>"
  Path directory;
  data::ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};
  std::vector<evaluation::CaseScore> scores;
  evaluation::Summary summary;
  Json about;  // summary.json as it is; an empty object when it is missing
  evaluation::EvaluationIdentity identity;

  const std::vector<std::string>& regions() const { return summary.regions; }

  // Means over cases, then over what is not named; NaN where nothing was evaluated. Dice is a
  // fraction, HD95 in mm.
  double mean(Metric metric, data::SubsetMask subset, std::size_t region) const;
  double mean_of_region(Metric metric, std::size_t region) const;
  double mean(Metric metric) const;
  // Over the subsets of one size; `region` < 0: over the regions too.
  double mean_of_size(Metric metric, int available, int region = -1) const;
};

// Throws DataError (missing or damaged cases.csv).
EvaluationRecord read_evaluation(const Path& directory);

}  // namespace lacuna::monitoring

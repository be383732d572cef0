// The summary of an evaluation as JSON: summary.json, and what `eval --json` prints. Pure function,
// thread-safe.
#pragma once

#include <vector>

#include "base/text/json.h"
#include "evaluation/statistics/summary.h"

namespace lacuna::evaluation {

// `about`: what was evaluated (method, checkpoint, split...), copied into the result. `scores`:
// bootstrap intervals of the means are made from them; none: without intervals.
Json summary_json(const Summary& summary, const data::ModalitySet& modalities,
                  const ScoreOptions& options, const Json& about,
                  const std::vector<CaseScore>& scores = {});

}  // namespace lacuna::evaluation

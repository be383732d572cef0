// Runs that train a model per subset of modalities (method_options.subset) and differ in nothing
// else are one method: a family. Its numbers are put together from those of its members, each of
// which serves one subset.
//
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "monitoring/report/run_record.h"

namespace lacuna::monitoring {

// Puts the families among the runs together, where each stood first; all other runs stay as they
// are, and so does a run whose family has no other member. What cannot be put together stays apart
// with a note that says why.
std::vector<RunRecord> join_families(std::vector<RunRecord> runs);

// The evaluation `name` (a directory under eval/) of a family, from those of its members. With an
// empty name: the one that all have. Throws ConfigError when the runs are not members of one
// family, naming the first difference (method, split, seed, ...), when two serve the same subset,
// and when evaluations were made of other cohorts or by other definitions; DataError when one of
// them is missing.
EvaluationRecord join_evaluations(const std::vector<RunRecord>& members, const std::string& name);

}  // namespace lacuna::monitoring

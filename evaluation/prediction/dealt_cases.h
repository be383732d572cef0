// One evaluation by several ranks: which cases each of them takes, and what they found, as bytes
// that travel between ranks of the same program.
//
// Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/cache/cohort.h"
#include "evaluation/prediction/overlay.h"
#include "evaluation/prediction/subset_evaluation.h"
#include "evaluation/scores/case_score.h"

namespace lacuna::evaluation {

// The part of `cases` (indices into the cohort) that rank `rank` of `ranks` works on, the longest
// first. Work is voxels times subsets; each next longest case goes to the rank with the least so
// far. Every case is in exactly one rank's part, whichever rank asks.
std::vector<int> deal_cases(const data::Cohort& cohort, const std::vector<int>& cases,
                            const std::vector<data::SubsetMask>& subsets, int ranks, int rank);

// What a rank found.
struct Findings {
  std::vector<CaseScore> scores;
  std::vector<UnreadCase> unread;
};
std::string pack(const Findings& findings, const OverlayWriter& overlays);
// Adds to both. Throws DataError when the bytes are cut off.
void unpack(const std::string& bytes, Findings& findings, OverlayWriter& overlays);

// Into the order in which one rank alone would have found them.
void sort_findings(Findings& findings, const data::Cohort& cohort, const std::vector<int>& cases);

}  // namespace lacuna::evaluation

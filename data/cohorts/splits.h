// Divides the labelled cases of a cohort into the parts of an experiment.
//
// Generated splits, "fold0" .. "fold<K-1>" and "all": pure functions of the cases and the seed.
// Cases are dealt to folds stratum by stratum (institution and grade), so that each fold has its
// share of each, to within one case. Fold k holds
//   test        the k-th fold,
//   meta        a few cases taken from the rest for learning importance weights, kinds mixed,
//   validation  a tenth of all cases, taken from the rest, for choosing a checkpoint,
//   train       what remains.
// "all" trains on every case but `meta`, without model selection. The parts never overlap.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/cache/cohort.h"

namespace lacuna::data {

struct SplitOptions {
  int folds = 5;
  std::uint64_t seed = 1;
};

// Throws ConfigError for fewer than two folds. With fewer cases than folds there are fewer folds;
// a cohort of one labelled case has only "all".
Splits make_splits(const std::vector<CaseInfo>& cases, const SplitOptions& options);

// Fixed lists from a JSON file: {"mine": {"train": [ids...], "test": "list.txt"}, ...}. A part is a
// list of case ids, or the name of a text file beside the JSON file with one id or case directory
// a line. Without a part "meta" a few cases move there from "train". Throws ConfigError naming the
// file and each case that is unknown, repeated within a split, or without a label but in use for
// training.
Splits read_splits(const std::filesystem::path& path, const std::vector<CaseInfo>& cases);

// How many of `training` cases a split sets aside for meta-validation: a tenth, at most the
// published five, none when fewer than four would be left to choose from.
std::size_t meta_cases(std::size_t training);

}  // namespace lacuna::data

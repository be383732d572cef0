// A case segmented and scored under many modality subsets, with features encoded once per window.
//
// Thread-safety: one evaluation at a time per method object.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/cache/case_file.h"
#include "data/cache/cohort.h"
#include "evaluation/prediction/segment.h"
#include "evaluation/scores/case_score.h"
#include "methods/method.h"

namespace lacuna::evaluation {

// Normalises the full volume of a case as the method's recipe says: 1 x M x D x H x W, float.
at::Tensor load_volume(const data::CaseFile& file, const methods::Method& method);

// A case that cannot be scored, and why.
struct UnreadCase {
  std::string case_id, reason;
};

struct EvaluationOptions {
  std::vector<int> cases;                 // indices into Cohort::cases
  std::vector<data::SubsetMask> subsets;  // empty: all non-empty ones
  ScoreOptions score;                     // HD95 definition, empty rule
  bool hd95 = true;
  std::optional<data::Extent> patch;  // as for segment_subsets()
  bool mirrored = false, rankseg = false;
  bool calibration = false;  // adds kCalibrationColumns to each region's values
  // Gives an open, verified case, or throws DataError; the file must live until the next call.
  // Empty: each is opened and verified from end to end.
  std::function<const data::CaseFile&(const data::CaseInfo&)> open;
  // Told of a case that cannot be read, which is then left out. Empty: its error ends it all.
  std::function<void(const UnreadCase&)> unread;
  // Called often while a case is worked on, on the caller's thread: when it was read, some of its
  // subsets segmented in a window, one of them scored.
  std::function<void()> alive;
  // Called after each case with (done, total), also after one that was left out; returning false
  // stops early. A case is scored on other threads while the next one is segmented, so its scores
  // may still be under way.
  std::function<bool(int, int)> progress;
  // Called with each segmentation, for overlays and predictions; may be empty.
  std::function<void(int case_index, data::SubsetMask, const std::vector<std::uint8_t>&)> keep;
};

inline const std::vector<std::string> kCalibrationColumns = {"calibration.ece", "calibration.ace",
                                                             "calibration.mce", "calibration.brier",
                                                             "calibration.nll"};

// The subsets to score a method on: those that are asked for, or all; of a method that serves one
// subset, that one. Throws ConfigError naming a subset that it does not serve.
std::vector<data::SubsetMask> served_subsets(const methods::Method& method,
                                             const data::ModalitySet& modalities,
                                             const std::vector<data::SubsetMask>& asked);

// Scores of every case and subset (a subset that a case cannot provide is left out, and counted).
std::vector<CaseScore> evaluate(methods::Method& method, const data::Cohort& cohort,
                                const EvaluationOptions& options);

}  // namespace lacuna::evaluation

// The counters of a run that a checkpoint carries besides the tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/text/json.h"

namespace lacuna::worker {

struct RunProgress {
  std::int64_t step = 0;              // completed updates
  std::string stage;                  // its name
  std::int64_t nonfinite_in_row = 0;  // skipped steps since the last good one
  std::int64_t skipped_steps = 0;     // of the whole run
  double best_score = 0;
  std::optional<std::int64_t> best_step;
  std::optional<std::int64_t> candidate;  // step that a validation rank is judging
  Json meta_pending = Json::array();      // phases on the meta set that have not taken effect
  // The metrics line of `step`, when the stop came before its validation was complete.
  Json pending_line;

  // Nothing before the first validation.
  std::optional<double> best() const {
    return best_step ? std::optional(best_score) : std::nullopt;
  }

  Json to_json() const {
    return {{"step", step},
            {"stage", stage},
            {"nonfinite_in_row", nonfinite_in_row},
            {"skipped_steps", skipped_steps},
            {"best_score", best_score},
            {"best_step", best_step ? Json(*best_step) : Json()},
            {"candidate", candidate ? Json(*candidate) : Json()},
            {"meta_pending", meta_pending},
            {"pending_line", pending_line}};
  }

  static RunProgress from_json(const Json& state) {
    RunProgress progress;
    progress.step = state.at("step");
    progress.stage = state.at("stage");
    progress.nonfinite_in_row = state.at("nonfinite_in_row");
    progress.skipped_steps = state.at("skipped_steps");
    progress.best_score = state.at("best_score");
    if (!state.at("best_step").is_null()) progress.best_step = state.at("best_step");
    if (!state.at("candidate").is_null()) progress.candidate = state.at("candidate");
    progress.meta_pending = state.at("meta_pending");
    progress.pending_line = state.at("pending_line");
    return progress;
  }
};

}  // namespace lacuna::worker

// The counters of a run that a checkpoint carries besides the tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
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

  // The next validation decides anew.
  void forget_best() {
    best_step.reset();
    best_score = 0;
  }

  // Nothing before the first validation.
  std::optional<double> best() const {
    return best_step ? std::optional(best_score) : std::nullopt;
  }

  // Of state.json. It rises when an older program would misread what is written; a field that one
  // may miss needs no new number.
  static constexpr int kFormat = 1;

  Json to_json() const {
    return {{"format", kFormat},
            {"step", step},
            {"stage", stage},
            {"nonfinite_in_row", nonfinite_in_row},
            {"skipped_steps", skipped_steps},
            {"best_score", best_score},
            {"best_step", best_step ? Json(*best_step) : Json()},
            {"candidate", candidate ? Json(*candidate) : Json()},
            {"meta_pending", meta_pending},
            {"pending_line", pending_line}};
  }

  // Fields that an older program did not write take their defaults. Throws DataError for a state
  // of a newer one, Json::exception for what is no state.
  static RunProgress from_json(const Json& state) {
    if (const int format = state.value("format", 1); format > kFormat) {
      throw_error<DataError>(
          "the state has format {}, this program reads up to {}: a newer program wrote it. Use "
          "that one.",
          format, kFormat);
    }
    const auto step_at = [&](const char* key) -> std::optional<std::int64_t> {
      const auto found = state.find(key);
      if (found == state.end() || found->is_null()) return std::nullopt;
      return found->get<std::int64_t>();
    };
    RunProgress progress;
    progress.step = state.at("step");
    progress.stage = state.value("stage", "");
    progress.nonfinite_in_row = state.value("nonfinite_in_row", std::int64_t{0});
    progress.skipped_steps = state.value("skipped_steps", std::int64_t{0});
    progress.best_score = state.value("best_score", 0.0);
    progress.best_step = step_at("best_step");
    progress.candidate = step_at("candidate");
    progress.meta_pending = state.value("meta_pending", Json::array());
    progress.pending_line = state.value("pending_line", Json());
    return progress;
  }
};

}  // namespace lacuna::worker

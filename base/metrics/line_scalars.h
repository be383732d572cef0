// A line of metrics.jsonl (docs/run-directory.md) as named scalars for curves. Pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "base/files/event_file.h"
#include "base/text/json.h"

namespace lacuna {

struct ScalarsAtStep {
  std::int64_t step = 0;
  std::vector<Scalar> values;
};

// One entry for the line's own step and one for the step that a validation of it is about. null is
// a value that was not finite: NaN. What is no number, and unknown keys, are left out, so that a
// line of any version does.
std::vector<ScalarsAtStep> line_scalars(const Json& line);

}  // namespace lacuna

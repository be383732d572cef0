// Pieces of a run's status as short texts, for the page and the terminal view.
#pragma once

#include <optional>
#include <string>

#include "base/text/json.h"

namespace lacuna::coordinator {

// A value that may be missing or null (not finite) as text; "-" then.
std::string text_or_dash(const Json& status, const char* key);
// A number with `digits` significant digits; "-" when it is missing or null.
std::string number_or_dash(const Json& value, int digits = 4);
// "2 min 05 s", or "-".
std::string duration_or_dash(const Json& value);

// Steps done over steps to do, 0 to 1; nothing while either is unknown.
std::optional<double> progress_share(const Json& status);
// "step 120 of 5000 (2.4 %)"
std::string position_text(const Json& status);
// "1 h 38 min left, 1.20 s per step, 1.7 samples/s"
std::string speed_text(const Json& status);
// "step 100: 0.8123 (best 0.8200)", or "-".
std::string validation_text(const Json& status);
// "step 100, 2 min 05 s ago; 0 failures", or "-".
std::string checkpoint_text(const Json& status);
// Time, event, step, and the rest of the line as "key value".
std::string event_text(const Json& event);
// One word on a rank: "ok", "silent 12 s", "done", "failed", "not heard".
std::string rank_health(const Json& rank);

}  // namespace lacuna::coordinator

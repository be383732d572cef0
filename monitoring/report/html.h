// Text that is safe inside an HTML page, whatever a user named a run, a case or an institution.
//
// Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/text/json.h"

namespace lacuna::monitoring {

// For element content and quoted attributes: & < > " ' become entities, bytes that are not UTF-8
// and control characters become U+FFFD.
std::string escape_html(std::string_view text);

// JSON for a <script type="application/json"> element: no "<" inside, so no text can close it.
std::string script_json(const Json& value);

// 0.7123 -> "71.2": scores in text and tables are percent with one decimal. "–" for NaN.
std::string percent(double fraction);
// The same with a sign, for differences: "+8.3", "−0.4", "0.0".
std::string signed_percent(double fraction);
// Millimetres: "12.3"; "–" for NaN.
std::string millimetres(double value);
// 0.00042 -> "0.0004", below that "< 0.0001".
std::string probability(double p);
// 1234567 -> "1 234 567".
std::string grouped(long long value);

}  // namespace lacuna::monitoring

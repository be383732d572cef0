// The status of a run as lines of a terminal.
//
// Pure functions. Control characters in the status (a host name, an error text) never reach the
// terminal.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace lacuna::coordinator {

struct ViewSize {
  int width = 100, height = 1000;  // columns, lines
};

enum class LineStyle { kPlain, kTitle, kQuiet, kAlarm };

struct ViewLine {
  std::string text;  // UTF-8, at most `width` columns
  LineStyle style = LineStyle::kPlain;
};

// `status`: as GET /api/status; `note`: shown below the title when not empty. Where the height does
// not suffice, ranks in trouble and the newest events stay.
std::vector<ViewLine> monitor_view(const Json& status, const std::string& note, ViewSize size);

// Values as a row of bars, the newest `width` of them; not finite values are blanks.
std::string sparkline(const std::vector<double>& values, int width);

}  // namespace lacuna::coordinator

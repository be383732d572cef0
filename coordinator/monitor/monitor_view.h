// The status of a run as lines of a terminal. Pure function.
#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"
#include "coordinator/monitor/view_lines.h"

namespace lacuna::coordinator {

// `status`: as GET /api/status; `note`: shown below the title when not empty. Where the height does
// not suffice, parts of the loss and rates are left out, and ranks in trouble and the newest events
// stay; where the width does not, process ids
// and then hosts are left out.
std::vector<ViewLine> monitor_view(const Json& status, const std::string& note, ViewSize size);

}  // namespace lacuna::coordinator

// The runs of a sweep as lines of a terminal, those in trouble first. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"
#include "coordinator/monitor/view_lines.h"

namespace lacuna::coordinator {

// Names of the runs in the order of the view. `sweep`: as SweepMonitor::look() gives it.
std::vector<std::string> order_of_runs(const Json& sweep);

// `chosen`: position of the marked run in that order, which stays in sight; -1: none.
std::vector<ViewLine> sweep_view(const Json& sweep, int chosen, ViewSize size);

}  // namespace lacuna::coordinator

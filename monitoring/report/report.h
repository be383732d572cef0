// The report of one or more runs: one HTML file that needs no network, no server and no other file.
//
// Everything that comes from a run directory is escaped. Parts that a run does not have are left
// out with a sentence that says why. Pure function of its arguments; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "monitoring/report/run_record.h"

namespace lacuna::monitoring {

// `made` is printed as it is, for example "2026-11-21 02:10 UTC by lacuna 0.1.0".
std::string make_report(const std::vector<RunRecord>& runs, const std::string& made);

}  // namespace lacuna::monitoring

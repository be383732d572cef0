// `lacuna doctor --ranks W`: a pre-flight of what a run on several ranks stands on. Starts ranks of
// this program as `lacuna train --ranks` would, and sums 64 MB over them.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "monitoring/doctor/doctor.h"

namespace lacuna::app {

// For 2, 4, 8, ... ranks and `ranks` itself. Ends at the first number that does not work. Throws
// nothing but std::bad_alloc: what fails is a finding.
std::vector<monitoring::Finding> probe_ranks(int ranks, const std::string& launcher,
                                             double deadline_seconds);

// The part of a rank: sums, checks, and prints the result from rank 0 as JSON. kPeerLost when
// another rank does not answer, kError when the sum is wrong.
ExitCode measure_as_rank(double deadline_seconds);

}  // namespace lacuna::app

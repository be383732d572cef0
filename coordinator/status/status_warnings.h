// What somebody who looks at a run should know, in sentences.
#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna::coordinator {

// `status`: as GET /api/status. Pure function; empty when all is well.
std::vector<std::string> status_warnings(const Json& status);

}  // namespace lacuna::coordinator

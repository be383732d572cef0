// The status of a run as one plain page: no scripts, nothing loaded from elsewhere; it asks for
// itself anew every few seconds.
#pragma once

#include <string>

#include "base/json.h"

namespace lacuna::coordinator {

// `status`: as GET /api/status. Every text in it is escaped.
std::string status_page(const Json& status);

}  // namespace lacuna::coordinator

// Methods whose option `official` asks for the published code. Pure function.
#pragma once

#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"

namespace lacuna::methods {

// With resolved["official"]: throws ConfigError naming the first option that has another value than
// the published code's, which is `published` where it names the option, else the option's default.
// An option that is null (decided by the method) passes, and so does one of `free`.
void require_published(const Json& resolved, const std::vector<Option>& options,
                       const Json& published = Json::object(),
                       const std::vector<std::string>& free = {});

}  // namespace lacuna::methods

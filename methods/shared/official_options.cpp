#include "methods/shared/official_options.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace lacuna::methods {

void require_published(const Json& resolved, const std::vector<Option>& options,
                       const Json& published, const std::vector<std::string>& free) {
  if (!resolved.at("official").get<bool>()) return;
  for (const Option& option : options) {
    const Json& given = resolved.at(option.path);
    const Json wanted = published.value(option.path, Json::parse(option.fallback));
    const bool exempt =
        option.path == "official" || std::find(free.begin(), free.end(), option.path) != free.end();
    if (exempt || given.is_null() || given == wanted) continue;
    throw_error<ConfigError>(
        "method_options.{} is {}, but method_options.official asks for the published code, which "
        "has {}. Remove one of the two keys.",
        option.path, given.dump(), wanted.dump());
  }
}

}  // namespace lacuna::methods

// From the JSON of a profile, with what it extends already put in, to the profile: every key is
// checked, and what contradicts another key is refused.
#pragma once

#include <string>

#include "base/text/parse_json.h"
#include "data/cohorts/profile.h"

namespace lacuna::data {

// Regions come in the order of tables. `where` opens each message. Throws ConfigError.
Profile parse_profile_json(const OrderedJson& json, const std::string& where);

}  // namespace lacuna::data

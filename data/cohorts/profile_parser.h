// From the JSON of a profile, with what it extends already put in, to the profile: every key is
// checked, and what contradicts another key is refused.
#pragma once

#include <string>

#include "base/text/json.h"
#include "data/cohorts/profile.h"

namespace lacuna::data {

// Keeps the order of keys: regions come in the order of tables.
using OrderedJson = nlohmann::ordered_json;

// `where` opens each message. Throws ConfigError.
Profile parse_profile_json(const OrderedJson& json, const std::string& where);

}  // namespace lacuna::data

// Values inside a nested object by a dotted path: "train.batch". Pure functions.
#pragma once

#include <string>

#include "base/text/json.h"

namespace lacuna {

// Sets it; objects are made on the way, and a value in the way that is no object is replaced.
void set_value(Json& object, const std::string& path, Json value);

}  // namespace lacuna

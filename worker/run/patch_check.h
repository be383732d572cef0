// Whether a network can take a patch of some size.
#pragma once

#include <string>

#include "data/cache/cohort.h"
#include "methods/method.h"

namespace lacuna::worker {

// Throws ConfigError naming the nearest allowed sizes of each axis that does not fit.
void check_patch(const methods::Method& method, const data::Extent& patch,
                 const std::string& where);

}  // namespace lacuna::worker

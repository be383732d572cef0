// Texts that the build puts into the program (cmake/assets.cmake), so that a report needs no other
// file. Constant.
#pragma once

#include <string_view>

namespace lacuna::monitoring::assets {

extern const std::string_view kStyle;      // assets/report.css
extern const std::string_view kScript;     // assets/report.js
extern const std::string_view kPublished;  // assets/published.csv

}  // namespace lacuna::monitoring::assets

// Text from outside that may not be UTF-8: names of files, tables. Pure functions.
#pragma once

#include <string_view>

namespace lacuna {

// Whether every byte belongs to a character of UTF-8.
bool is_utf8(std::string_view text);

}  // namespace lacuna

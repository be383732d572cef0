// Base64 (RFC 4648, with padding). Pure, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace lacuna {

std::string base64(std::string_view bytes);

}  // namespace lacuna

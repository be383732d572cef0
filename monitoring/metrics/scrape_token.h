// The token by which one Prometheus may ask all runs that share a directory of target files:
// lacuna.token there, for `authorization: {credentials_file: ...}` of its configuration.
#pragma once

#include <filesystem>
#include <string>

namespace lacuna::monitoring {

inline constexpr const char* kScrapeTokenFile = "lacuna.token";

// Reads it; whoever comes first makes it (64 hex digits, readable by the owner and the group). One
// that a person has put there counts, if it has 16 characters or more. Throws DataError.
std::string scrape_token(const std::filesystem::path& targets);

}  // namespace lacuna::monitoring

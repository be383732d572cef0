// The JSON type of every file and report. Keys are sorted, so equal objects dump to equal bytes
// and a hash of the dump identifies a configuration.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace lacuna {

using Json = nlohmann::json;

// Parses a file; // comments are allowed. Throws ConfigError with file, line and column.
Json read_json(const std::filesystem::path& path);

}  // namespace lacuna

// What can be known to be wrong with a run before anything of it starts.
#pragma once

#include <filesystem>

#include "worker/run/run_config.h"

namespace lacuna::worker {

// Throws ConfigError naming the keys when the directory holds another run. One that holds none is
// fine.
void check_same_run(const RunConfig& config, const std::filesystem::path& run_directory);

// Throws ConfigError when the run names no cache.
void check_cache_named(const RunConfig& config);

// Both, and the cache itself: DataError when it cannot be opened, ConfigError when it lacks the
// split. Writes nothing.
void check_before_start(const RunConfig& config, const std::filesystem::path& run_directory);

}  // namespace lacuna::worker

#include "worker/run/run_check.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "data/cache/cohort.h"

namespace lacuna::worker {

void check_same_run(const RunConfig& config, const std::filesystem::path& run_directory) {
  if (!posix_file_system().exists(run_directory / "run.json")) return;
  const auto differences = differing_keys(read_json(run_directory / "run.json"), config.resolved);
  if (differences.empty()) return;
  throw_error<ConfigError>(
      "{}: the directory holds another run (key: there, here): {}. Choose "
      "another --out, or give the run its own keys.",
      run_directory.string(), fmt::join(differences, "; "));
}

void check_cache_named(const RunConfig& config) {
  if (!config.cache.empty()) return;
  throw_error<ConfigError>(
      "data.cache is not set: name the directory that `lacuna ingest` "
      "wrote, for example --set data.cache=cache/");
}

void check_before_start(const RunConfig& config, const std::filesystem::path& run_directory) {
  check_cache_named(config);
  check_same_run(config, run_directory);
  data::open_cohort(config.cache).part(config.split, "train");
}

}  // namespace lacuna::worker

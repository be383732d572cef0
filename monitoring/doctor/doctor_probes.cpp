// Short measurements: how fast results are saved and training data read.
#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/lease.h"
#include "data/sampling/loader.h"
#include "monitoring/doctor/doctor.h"

namespace lacuna::monitoring {
namespace {

using Verdict = Finding::Verdict;

constexpr std::size_t kProbeBytes = 16u << 20;
constexpr double kSlowSave = 1.0;  // seconds for 16 MiB
constexpr double kLoaderSeconds = 2.0;
constexpr double kSlowLoader = 50e6;  // bytes per second: below the use of a small network

// Why no process could keep others from a directory here, or "".
std::string lock_problem(FileSystem& files, const Path& directory) {
  files.make_directories(directory);
  std::string problem;
  try {
    const Lease lease(directory);
  } catch (const Error& error) {
    problem = error.what();
  }
  files.remove_all(directory);
  return problem;
}

}  // namespace

Finding probe_disk(FileSystem& files, const Clock& clock, const Path& directory) {
  const Path path = directory / fmt::format(".lacuna-doctor-{}", static_cast<long>(getpid()));
  try {
    // Not constant, so that a compressing file system cannot cheat.
    std::string bytes(kProbeBytes, '\0');
    std::uint32_t state = 1;
    for (char& byte : bytes) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<char>(state >> 24);
    }
    const double start = clock.seconds();
    write_durably(files, path, bytes);
    const double seconds = clock.seconds() - start;
    files.remove(path);
    if (const std::string problem = lock_problem(files, path); !problem.empty()) {
      return {Verdict::kProblem, "disk", "locks", problem,
              "Runs and caches cannot be written here; reading works. Name a directory on another "
              "file system: lacuna doctor --dir DIR"};
    }
    const bool slow = seconds > kSlowSave;
    return {slow ? Verdict::kAdvice : Verdict::kGood, "disk", "durable write",
            fmt::format("16 MiB written, synced and renamed in {:.0f} ms", 1000 * seconds),
            slow ? "A slow or network disk: save less often (checkpoint.every_steps) or train "
                   "into a local directory."
                 : ""};
  } catch (const Error& error) {
    return {Verdict::kProblem, "disk", "durable write", error.what(),
            "Free space, or name a directory that can be written: lacuna doctor --dir DIR"};
  }
}

Finding probe_loader(const Clock& clock, const Path& cache, int threads) {
  try {
    const data::Cohort cohort = data::open_cohort(cache);
    data::LoaderOptions options;
    for (int i = 0; i < static_cast<int>(cohort.cases.size()); ++i) options.cases.push_back(i);
    data::Extent patch{64, 64, 64};
    for (const data::CaseInfo& each : cohort.cases) {
      for (std::size_t axis = 0; axis < 3; ++axis) {
        patch[axis] = std::min(patch[axis], each.full_extent[axis]);
      }
    }
    options.recipe.patch = patch;
    options.subsets = {{"policy", "full"}, {"granularity", "batch"}};
    options.threads = threads;
    options.steps = 1 << 20;
    data::Loader loader(cohort, options);
    const auto take = [&] { loader.recycle(loader.next()); };
    for (std::size_t i = 0; i < std::min<std::size_t>(cohort.cases.size(), 8); ++i) take();
    const double start = clock.seconds();
    double seconds = 0;
    int samples = 0;
    while (seconds < kLoaderSeconds) {
      take();
      ++samples;
      seconds = clock.seconds() - start;
    }
    const double bytes = 4.0 * cohort.modalities.size() *
                         static_cast<double>(patch[0] * patch[1] * patch[2]) * samples / seconds;
    const bool slow = bytes < kSlowLoader;
    return {slow ? Verdict::kAdvice : Verdict::kGood, "data", "loader",
            fmt::format("{:.0f} MB/s, {:.1f} patches of {}x{}x{} per second on {} threads",
                        bytes / 1e6, samples / seconds, patch[0], patch[1], patch[2], threads),
            slow ? "Copy the cache to a local disk, or give data.loader_threads more cores." : ""};
  } catch (const Error& error) {
    return {Verdict::kProblem, "data", "loader", error.what(), "Run: lacuna inspect CACHE"};
  }
}

}  // namespace lacuna::monitoring

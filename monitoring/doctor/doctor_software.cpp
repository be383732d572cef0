// Versions of what the program is made of.
#include <string>

#include <H5public.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "base/process/build_info.h"
#include "comm/mpi.h"
#include "monitoring/doctor/doctor.h"

namespace lacuna::monitoring {
namespace {

using Verdict = Finding::Verdict;

// LibTorch before 2.10 has slow or wrong Conv3d in some builds.
constexpr bool kTorchIsRecent = TORCH_VERSION_MAJOR > 2 ||
                                (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 10);

}  // namespace

std::vector<Finding> judge_software() {
  const BuildInfo& build = build_info();
  const auto good = [](const char* name, const std::string& value) {
    return Finding{Verdict::kGood, "software", name, value, ""};
  };
  std::vector<Finding> findings{
      good("lacuna", fmt::format("{} (commit {})", build.version, build.commit)),
      good("compiler", fmt::format("{}, {}, {}", build.compiler, build.build_type, build.arch))};
  findings.push_back({kTorchIsRecent ? Verdict::kGood : Verdict::kProblem, "software", "LibTorch",
                      TORCH_VERSION,
                      kTorchIsRecent ? "" : "Build with 2.10 or later: run tools/setup."});
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  findings.push_back(good("HDF5", fmt::format("{}.{}.{}", major, minor, release)));
  findings.push_back(good("MPI", comm::mpi_version()));
  return findings;
}

}  // namespace lacuna::monitoring

#include "worker/run/patch_check.h"

#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::worker {

void check_patch(const methods::Method& method, const data::Extent& patch,
                 const std::string& where) {
  const data::Extent multiple = method.extent_multiple();
  const data::Axes axes = method.recipe().axes;
  std::vector<std::string> problems;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t step = multiple[axis], below = patch[axis] / step * step;
    if (patch[axis] >= step && below == patch[axis]) continue;
    const std::string nearest =
        below > 0 ? fmt::format("{} or {}", below, below + step) : fmt::format("{}", below + step);
    problems.push_back(fmt::format("{} is {}, allowed: multiples of {} (nearest: {})",
                                   "DHW"[axes[axis]], patch[axis], step, nearest));
  }
  if (problems.empty()) return;
  throw_error<ConfigError>("{}: data.patch [{}] does not fit the network: {}", where,
                           fmt::join(patch, ","), fmt::join(problems, "; "));
}

}  // namespace lacuna::worker

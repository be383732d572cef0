#include "slurm/chunks.h"

#include <algorithm>

namespace lacuna::slurm {

std::vector<ArrayRequest> split(const ArrayRequest& request, int max_array_size) {
  if (request.tasks.empty()) {
    throw_error<ConfigError>("{}: an array without tasks. Nothing is left to be run.",
                             request.name);
  }
  const std::size_t most = static_cast<std::size_t>(std::max(1, max_array_size));
  std::vector<ArrayRequest> parts;
  for (std::size_t first = 0; first < request.tasks.size(); first += most) {
    ArrayRequest part = request;
    const auto begin = request.tasks.begin() + static_cast<std::ptrdiff_t>(first);
    const std::size_t count = std::min(most, request.tasks.size() - first);
    part.tasks.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    if (first > 0) part.name += fmt::format(".{}", parts.size() + 1);
    parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<SubmittedArray> submit_all(Scheduler& scheduler, const ArrayRequest& request,
                                       const std::function<void(const ArrayRequest&)>& before,
                                       const std::function<void(const SubmittedArray&)>& after) {
  std::vector<SubmittedArray> submitted;
  for (ArrayRequest& part : split(request, scheduler.limits().max_array_size)) {
    if (part.throttle > 0 && !submitted.empty()) part.after.push_back(submitted.back().job);
    if (before) before(part);
    submitted.push_back({scheduler.submit(part), part.name, part.tasks});
    if (after) after(submitted.back());
  }
  return submitted;
}

}  // namespace lacuna::slurm

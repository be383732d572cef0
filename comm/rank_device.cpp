#include "comm/rank_device.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/process/host.h"
#include "comm/gather_texts.h"
#include "comm/peer_lost.h"

namespace lacuna::comm {
namespace {

std::vector<std::size_t> ranks_without_gpu(const std::vector<RankDevice>& all) {
  std::vector<std::size_t> ranks;
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].gpu.empty()) ranks.push_back(r);
  }
  return ranks;
}

// Of a host with its boot: what people call it.
std::string short_name(const std::string& host) { return host.substr(0, host.find(' ')); }

}  // namespace

std::string this_host() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return fmt::format("{} {}", host_name(), boot);
}

std::vector<RankDevice> gather_devices(Communicator& ranks, const RankDevice& mine,
                                       Seconds deadline) {
  const std::string line = mine.host + '\n' + mine.gpu;
  std::vector<std::string> lines;
  require(gather_texts(ranks, line, lines, deadline), "comparing the GPUs of the ranks");
  std::vector<RankDevice> all;
  for (const std::string& text : lines) {
    const std::size_t end = text.find('\n');
    all.push_back({text.substr(0, end), text.substr(end + 1)});
  }
  return all;
}

int local_rank(const std::vector<RankDevice>& all, int rank) {
  const std::string& host = all.at(static_cast<std::size_t>(rank)).host;
  return static_cast<int>(std::count_if(all.begin(), all.begin() + rank,
                                        [&](const RankDevice& each) { return each.host == host; }));
}

std::string shared_gpus(const std::vector<RankDevice>& all) {
  std::map<std::string, std::vector<std::size_t>> users;  // by GPU
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (!all[r].gpu.empty()) users[all[r].gpu].push_back(r);
  }
  std::string text;
  for (const auto& [gpu, ranks] : users) {
    if (ranks.size() < 2) continue;
    text += fmt::format("{}ranks {} share {} on {}", text.empty() ? "" : "; ",
                        fmt::join(ranks, " and "), gpu, short_name(all[ranks.front()].host));
  }
  return text;
}

BackendChoice choose_backend(const std::string& wanted, const std::vector<RankDevice>& all) {
  const std::vector<std::size_t> without = ranks_without_gpu(all);
  const std::string shared = shared_gpus(all);
  if (wanted == "nccl") {
    if (!without.empty()) {
      throw_error<ConfigError>(
          "train.communicator is nccl, but rank {} on {} computes on the processor. Set it to "
          "auto, or give every rank a GPU.",
          without.front(), short_name(all[without.front()].host));
    }
    if (!shared.empty()) {
      throw_error<ConfigError>(
          "train.communicator is nccl, but {}: NCCL takes one rank per GPU. Start fewer ranks, or "
          "set it to auto.",
          shared);
    }
    return {Backend::kNccl, "nccl: asked for"};
  }
  if (without.size() == all.size()) return {Backend::kHost, "no rank computes on a GPU"};
  if (!without.empty()) {
    throw_error<ConfigError>(
        "rank {} on {} computes on the processor and others on a GPU. Set train.device to cpu, or "
        "give every rank a GPU.",
        without.front(), short_name(all[without.front()].host));
  }
  if (wanted == "mpi") return {Backend::kStaged, "mpi: asked for"};
  if (all.size() == 1) return {Backend::kHost, "one rank"};
  if (!shared.empty()) return {Backend::kStaged, "nccl: not used, " + shared};
  return {Backend::kNccl, "every rank has a GPU of its own"};
}

}  // namespace lacuna::comm

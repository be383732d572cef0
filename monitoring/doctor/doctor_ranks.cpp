// How fast several ranks of this machine or allocation add up gradients.
#include <algorithm>

#include <fmt/format.h>

#include "monitoring/doctor/doctor.h"

namespace lacuna::monitoring {
namespace {

using Verdict = Finding::Verdict;

// Ranks of one host move every byte through memory about four times (in, sum, out, fetch).
constexpr double kCopiesPerByte = 4;
// 10 Gb/s Ethernet, the least that data-parallel training of these networks is worth.
constexpr double kNetworkBytesPerSecond = 1e9;

double expected_bandwidth(const RankFacts& facts) {
  if (facts.hosts > 1) return kNetworkBytesPerSecond;
  // Ranks that share a core take turns.
  const double share = std::min(1.0, static_cast<double>(facts.cores) / facts.ranks);
  return facts.copy_bytes_per_second / kCopiesPerByte * share;
}

}  // namespace

double bus_bandwidth(const RankFacts& facts) {
  return 2.0 * (facts.ranks - 1) / facts.ranks * static_cast<double>(facts.bytes) / facts.seconds;
}

Finding judge_ranks(const RankFacts& facts) {
  const std::string name = fmt::format("{} ranks", facts.ranks);
  if (!facts.problem.empty()) {
    return {Verdict::kProblem, "ranks", name, facts.problem, facts.remedy};
  }
  const double measured = bus_bandwidth(facts), expected = expected_bandwidth(facts);
  const std::string value = fmt::format(
      "{} MB summed in {:.1f} ms through {}, verified; bus bandwidth {:.2f} GB/s, expected about "
      "{:.2f}",
      facts.bytes / 1'000'000, 1000 * facts.seconds, facts.launcher, measured / 1e9,
      expected / 1e9);
  if (measured >= expected / 4) return {Verdict::kGood, "ranks", name, value, ""};
  return {Verdict::kAdvice, "ranks", name, value,
          facts.hosts > 1
              ? "The hosts talk over a slow network: name the fast one in "
                "OMPI_MCA_btl_tcp_if_include, and ask for nodes that are close to each other."
              : "Slow for one host: see that no other program uses the cores, that /dev/shm is "
                "large, and that OMPI_MCA_btl is not set to tcp."};
}

}  // namespace lacuna::monitoring

#include "coordinator/rank_report.h"

#include <cstring>
#include <regex>

#include <fmt/format.h>

namespace lacuna::coordinator {
namespace {

std::optional<std::smatch> last_match(const std::string& text, const std::regex& pattern) {
  std::optional<std::smatch> last;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) last = *it;
  return last;
}

}  // namespace

std::optional<RankReport> find_rank_report(const std::string& text) {
  // Open MPI 4: two texts. The second pads and breaks its lines.
  static const std::regex signalled(
      R"(process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+))");
  static const std::regex exited(R"(Process name:\s+\[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+))");
  // SLURM: "srun: error: n2: task 1: Exited with exit code 76", "...: task 1: Killed".
  static const std::regex task(R"(error: (\S+): task (\d+): (Exited with exit code (\d+)|Killed))");
  if (const auto match = last_match(text, signalled)) {
    return RankReport{std::stoi((*match)[1]), (*match)[2], std::stoi((*match)[3]), 0};
  }
  if (const auto match = last_match(text, exited)) {
    return RankReport{std::stoi((*match)[1]), "", 0, std::stoi((*match)[2])};
  }
  if (const auto match = last_match(text, task)) {
    const bool killed = !(*match)[4].matched;
    return RankReport{std::stoi((*match)[2]), (*match)[1], killed ? 9 : 0,
                      killed ? 0 : std::stoi((*match)[4])};
  }
  return std::nullopt;
}

std::string describe(const RankReport& report) {
  const std::string who = report.host.empty()
                              ? fmt::format("rank {}", report.rank)
                              : fmt::format("rank {} on {}", report.rank, report.host);
  if (report.signal == 0) return fmt::format("{} ended with exit code {}", who, report.code);
  return fmt::format("{} was killed by signal {} ({})", who, report.signal,
                     strsignal(report.signal));
}

}  // namespace lacuna::coordinator

#include "coordinator/supervisor/rank_report.h"

#include <cstring>
#include <regex>

#include <fmt/format.h>

#include "base/error.h"

namespace lacuna::coordinator {
namespace {

std::optional<std::smatch> last_match(const std::string& text, const std::regex& pattern) {
  std::optional<std::smatch> last;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) last = *it;
  return last;
}

// srun prints strsignal's words, then perhaps "(core dumped)".
int signal_of(const std::string& words) {
  for (int number = 1; number < 32; ++number) {
    if (words.starts_with(strsignal(number))) return number;
  }
  return 0;
}

// srun ends all tasks when one ends badly and reports each: the first is the cause of the rest.
// Only a rank that left because it lost another is no cause, whoever is reported first.
std::optional<RankReport> find_task_report(const std::string& text) {
  static const std::regex task(R"(srun: error: (\S{1,255}): tasks? (\d+)[-,\d]*: ([^\n]{1,80}))");
  static const std::regex exited(R"(Exited with exit code (\d+))");
  std::optional<RankReport> first;
  for (std::sregex_iterator it(text.begin(), text.end(), task), end; it != end; ++it) {
    const std::string words = (*it)[3];
    RankReport report{std::stoi((*it)[2]), (*it)[1], signal_of(words), 0};
    if (std::smatch match; std::regex_search(words, match, exited))
      report.code = std::stoi(match[1]);
    if (report.signal == 0 && report.code == 0) continue;
    if (report.code != static_cast<int>(ExitCode::kPeerLost)) return report;
    if (!first) first = report;
  }
  return first;
}

}  // namespace

std::optional<RankReport> find_rank_report(const std::string& text) {
  // Open MPI 4: two texts. The second pads and breaks its lines.
  static const std::regex signalled(
      R"(process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+))");
  static const std::regex exited(R"(Process name:\s+\[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+))");
  if (const auto match = last_match(text, signalled)) {
    return RankReport{std::stoi((*match)[1]), (*match)[2], std::stoi((*match)[3]), 0};
  }
  if (const auto match = last_match(text, exited)) {
    return RankReport{std::stoi((*match)[1]), "", 0, std::stoi((*match)[2])};
  }
  return find_task_report(text);
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

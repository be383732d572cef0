#include "coordinator/supervisor/rank_report.h"

#include <algorithm>
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

// Open MPI 4: two texts. The second pads and breaks its lines.
std::optional<RankReport> find_signal_report(const std::string& text) {
  static const std::regex signalled(
      R"(process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+))");
  const auto match = last_match(text, signalled);
  if (!match) return std::nullopt;
  return RankReport{std::stoi((*match)[1]), (*match)[2], std::stoi((*match)[3]), 0};
}

constexpr int kPeerLost = static_cast<int>(ExitCode::kPeerLost);

}  // namespace

std::optional<RankReport> find_rank_report(const std::string& text) {
  static const std::regex exited(R"(Process name:\s+\[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+))");
  if (auto report = find_signal_report(text)) return report;
  if (const auto match = last_match(text, exited)) {
    return RankReport{std::stoi((*match)[1]), "", 0, std::stoi((*match)[2])};
  }
  return find_task_report(text);
}

std::optional<RankReport> find_cause(const std::vector<EndNote>& notes, int ranks,
                                     const std::string& launcher_text) {
  const auto noted = [&](int rank) {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const EndNote& note) { return note.rank == rank; });
  };
  const auto first = [&](auto wanted) -> std::optional<RankReport> {
    const auto note = std::find_if(notes.begin(), notes.end(), wanted);
    if (note == notes.end()) return std::nullopt;
    return RankReport{note->rank, note->host, note->signal, note->code, note->reason};
  };
  // mpirun names the first that was killed, and asks the others to stop: what they say then is no
  // cause. Who is killed by SIGKILL leaves no note.
  if (auto killed = find_signal_report(launcher_text); killed && !noted(killed->rank))
    return killed;
  if (auto crashed = first([](const EndNote& note) { return note.signal != 0; })) return crashed;
  if (auto ended =
          first([](const EndNote& note) { return note.code != 0 && note.code != kPeerLost; })) {
    return ended;
  }
  const auto told = find_rank_report(launcher_text);
  if (told && !noted(told->rank) && (told->signal != 0 || told->code != kPeerLost)) return told;
  if (auto lost = first(
          [](const EndNote& note) { return note.code == kPeerLost && !note.reason.empty(); })) {
    return lost;
  }
  if (auto lost = first([](const EndNote& note) { return note.code == kPeerLost; })) return lost;
  if (told) return told;
  // All is well, whatever became of the launcher.
  if (ranks > 0 && static_cast<int>(notes.size()) == ranks) {
    return first([](const EndNote& note) { return note.code == 0; });
  }
  return std::nullopt;
}

std::string describe(const RankReport& report) {
  const std::string who = report.host.empty()
                              ? fmt::format("rank {}", report.rank)
                              : fmt::format("rank {} on {}", report.rank, report.host);
  if (report.signal != 0) {
    return fmt::format("{} was killed by signal {} ({})", who, report.signal,
                       strsignal(report.signal));
  }
  return fmt::format("{} ended with exit code {}{}", who, report.code,
                     report.reason.empty() ? "" : ": " + report.reason);
}

}  // namespace lacuna::coordinator

// Which rank ended first and how, read from what mpirun or srun printed about it.
#pragma once

#include <optional>
#include <string>

namespace lacuna::coordinator {

struct RankReport {
  int rank = 0;
  std::string host;  // empty when it is not told
  int signal = 0;    // that ended it, or 0
  int code = 0;      // its exit code, when no signal did
};

// The report in `text` (standard error of the launcher) of the rank that made the others end;
// nothing when there is none.
std::optional<RankReport> find_rank_report(const std::string& text);

// "rank 1 on n2 was killed by signal 9 (Killed)"
std::string describe(const RankReport& report);

}  // namespace lacuna::coordinator

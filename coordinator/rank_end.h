// Which rank ended first and how, read from what mpirun or srun printed about it.
#pragma once

#include <optional>
#include <string>

namespace lacuna::coordinator {

struct RankEnd {
  int rank = 0;
  std::string host;  // empty when it is not told
  int signal = 0;    // that ended it, or 0
  int code = 0;      // its exit code, when no signal did
};

// The last such report in `text` (standard error of the launcher); nothing when there is none.
std::optional<RankEnd> find_rank_end(const std::string& text);

// "rank 1 on n2 was killed by signal 9 (Killed)"
std::string describe(const RankEnd& end);

}  // namespace lacuna::coordinator

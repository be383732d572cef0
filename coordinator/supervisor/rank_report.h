// Which rank made a run end, and how: from the notes that ranks leave, else from what mpirun or
// srun printed about it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/supervisor/end_note.h"

namespace lacuna::coordinator {

struct RankReport {
  int rank = 0;
  std::string host;      // empty when it is not told
  int signal = 0;        // that ended it, or 0
  int code = 0;          // its exit code, when no signal did
  std::string reason{};  // its own words, or empty
};

// The report in `text` (standard error of the launcher) of the rank that made the others end;
// nothing when there is none.
std::optional<RankReport> find_rank_report(const std::string& text);

// The cause among the notes of an attempt of `ranks` ranks and the words of its launcher. A rank
// that left with 76 because it lost another is a cause only where nobody tells of that other one.
std::optional<RankReport> find_cause(const std::vector<EndNote>& notes, int ranks,
                                     const std::string& launcher_text);

// "rank 1 on n2 was killed by signal 9 (Killed)"
std::string describe(const RankReport& report);

}  // namespace lacuna::coordinator

// A run directory as a report sees it: whatever is there is read, whatever is missing or damaged
// becomes a sentence in `notes`. Formats: docs/file-formats.md.
//
// Immutable after reading, thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/json.h"
#include "monitoring/report/evaluation_record.h"

namespace lacuna::monitoring {

// One curve: `y` over run steps. A gap (a value that was not finite) is NaN.
struct Series {
  std::vector<double> x, y;
};

// At most `points` points: each is the mean of a stretch of neighbours, so that a long run stays
// readable and small.
Series thin(const Series& series, std::size_t points);

struct RunRecord {
  Path directory;
  std::string label;   // unique within a report: the method, with the directory where needed
  std::string method;  // "" when run.json is missing
  Json config;         // run.json without its provenance section
  Json provenance;     // versions, host, cohort, as the run recorded them
  std::vector<Json> events;

  std::int64_t last_step = 0;
  Series loss, samples_per_second, validation;   // validation: mean Dice
  std::map<std::string, Series> losses;          // parts, by name
  std::map<std::string, Series> learning_rates;  // by parameter group; "" when there is one rate
  std::map<std::string, Series> diagnostics;     // for example importance weights

  std::vector<EvaluationRecord> evaluations;  // by name
  std::vector<std::string> notes;             // what could not be read, and what to do

  const EvaluationRecord* evaluation(const std::string& name) const;  // nullptr if absent
};

// Throws DataError when `directory` is no directory; anything else that is missing is a note.
RunRecord read_run(const Path& directory);

// Reads all and gives labels: the method where it is unique, else "method directory".
std::vector<RunRecord> read_runs(const std::vector<Path>& directories);

}  // namespace lacuna::monitoring

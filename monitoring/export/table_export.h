// Runs as tables for pandas, R or a spreadsheet: one observation per row, names in columns.
#pragma once

#include <string>
#include <vector>

#include "monitoring/report/run_record.h"

namespace lacuna::monitoring {

// run,method,step,name,value: every scalar of metrics.jsonl, under the names that TensorBoard gets
// (base/metrics/line_scalars.h). An empty value was not finite.
std::string metrics_table(const std::vector<RunRecord>& runs);

// run,method,seed,evaluation,case,institution,subset,available,region,dice,hd95_mm: a row per
// case, subset and region of every evaluation; Dice as a fraction, empty where there is none.
std::string scores_table(const std::vector<RunRecord>& runs);

}  // namespace lacuna::monitoring

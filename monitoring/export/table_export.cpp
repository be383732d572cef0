#include "monitoring/export/table_export.h"

#include <cmath>

#include <fmt/format.h>

#include "base/files/json_lines.h"
#include "base/files/table.h"
#include "base/metrics/line_scalars.h"
#include "base/text/options.h"

namespace lacuna::monitoring {
namespace {

// Enough digits to give the same double back.
std::string exact(double value) { return std::isfinite(value) ? fmt::format("{}", value) : ""; }

std::string run_name(const RunRecord& run) { return csv_field(run.directory.string()); }

std::string seed_of(const RunRecord& run) {
  const Json* seed = find_path(run.config, "train.seed");
  return seed ? seed->dump() : "";
}

}  // namespace

std::string metrics_table(const std::vector<RunRecord>& runs) {
  std::string text = "run,method,step,name,value\n";
  for (const RunRecord& run : runs) {
    const std::string first = run_name(run) + "," + csv_field(run.method);
    for_each_json_line(run.directory / "metrics.jsonl", [&](const Json& line) {
      for (const ScalarsAtStep& at : line_scalars(line)) {
        for (const Scalar& scalar : at.values) {
          text += fmt::format("{},{},{},{}\n", first, at.step, csv_field(scalar.tag),
                              exact(scalar.value));
        }
      }
    });
  }
  return text;
}

std::string scores_table(const std::vector<RunRecord>& runs) {
  std::string text =
      "run,method,seed,evaluation,case,institution,subset,available,region,dice,hd95_mm\n";
  for (const RunRecord& run : runs) {
    for (const EvaluationRecord& evaluation : run.evaluations) {
      const std::string first = fmt::format("{},{},{},{}", run_name(run), csv_field(run.method),
                                            csv_field(seed_of(run)), csv_field(evaluation.name));
      for (const evaluation::CaseScore& score : evaluation.scores) {
        for (std::size_t region = 0; region < score.regions.size(); ++region) {
          text +=
              fmt::format("{},{},{},{},{},{},{},{}\n", first, csv_field(score.case_id),
                          csv_field(score.institution), evaluation.modalities.format(score.subset),
                          data::count(score.subset), csv_field(evaluation.regions()[region]),
                          exact(score.regions[region].dice), exact(score.regions[region].hd95_mm));
        }
      }
    }
  }
  return text;
}

}  // namespace lacuna::monitoring

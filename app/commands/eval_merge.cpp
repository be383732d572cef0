#include "app/commands/eval_merge.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/json.h"
#include "base/text/options.h"
#include "evaluation/statistics/summary_json.h"
#include "evaluation/statistics/tables.h"
#include "monitoring/report/families.h"

namespace lacuna::app {
namespace {

// As `lacuna eval` names them: <split>-<part>. "" when neither is given.
std::string evaluation_name(const MergeArguments& arguments,
                            const std::vector<monitoring::RunRecord>& members) {
  if (arguments.part.empty() && arguments.split.empty()) return "";
  std::string split = arguments.split;
  const Json* own = find_path(members.front().config, "data.split");
  if (split.empty() && own && own->is_string()) split = own->get<std::string>();
  return split + "-" + (arguments.part.empty() ? "test" : arguments.part);
}

}  // namespace

void merge_evaluations(const MergeArguments& arguments) {
  if (arguments.out.empty()) {
    throw_error<ConfigError>("--merge writes the tables of several runs: name a directory, --out");
  }
  const std::vector<monitoring::RunRecord> members = monitoring::read_runs(arguments.runs);
  const auto joined = monitoring::join_evaluations(members, evaluation_name(arguments, members));
  // The members' own words on how they were scored stand; these options only fill in the form.
  const evaluation::ScoreOptions form;
  Json summary = evaluation::summary_json(joined.summary, joined.modalities, form, joined.about,
                                          joined.scores);
  for (const char* key : {"empty_rule", "hd95_definition", "definitions"}) {
    if (joined.about.contains(key)) summary[key] = joined.about[key];
  }
  evaluation::write_tables(posix_file_system(), arguments.out, joined.scores, joined.modalities,
                           joined.summary, form, joined.about);
  write_durably(posix_file_system(), arguments.out / "summary.json", summary.dump(2) + "\n");
  if (arguments.json) {
    fmt::print("{}\n", summary.dump(2));
  } else if (!arguments.quiet) {
    fmt::print("{}\n{} runs, {} cases, {}\nwritten to {}\n",
               evaluation::markdown_table(joined.summary, joined.modalities), members.size(),
               joined.summary.cases, joined.name, arguments.out.string());
  }
}

}  // namespace lacuna::app

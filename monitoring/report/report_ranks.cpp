// How sure the order of the runs is: ranks over bootstrap draws of the cases.
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "evaluation/statistics/intervals.h"
#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kFewestRanked = 3;

// Mean Dice of each case over its subsets and regions.
std::map<std::string, double> dice_of_cases(const EvaluationRecord& record) {
  std::map<std::string, std::vector<double>> values;
  for (const evaluation::CaseScore& score : record.scores) {
    values[score.case_id].push_back(evaluation::mean_dice(score));
  }
  std::map<std::string, double> means;
  for (const auto& [id, each] : values) means[id] = evaluation::mean_of(each);
  return means;
}

// [run of the ranking][case that all of them were evaluated on]
std::vector<std::vector<double>> common_scores(const ReportView& view) {
  std::vector<std::map<std::string, double>> tables;
  for (const std::size_t run : view.ranking()) {
    tables.push_back(dice_of_cases(view.evaluation(run)));
  }
  std::vector<std::vector<double>> scores(tables.size());
  for (const auto& [id, unused] : tables[0]) {
    bool common = true;
    for (const auto& table : tables) common = common && table.contains(id);
    for (std::size_t i = 0; common && i < tables.size(); ++i) scores[i].push_back(tables[i].at(id));
  }
  return scores;
}

}  // namespace

std::string rank_section(ReportView& view) {
  if (view.ranking().size() < 2) return "";
  const auto scores = common_scores(view);
  const std::size_t cases = scores[0].size();
  if (cases < kFewestRanked) return "";
  const evaluation::Resamples resamples(static_cast<int>(cases));
  const auto by_mean = evaluation::aggregate_then_rank(scores, true, resamples);
  const auto by_case = evaluation::rank_then_aggregate(scores, true, resamples);
  std::string html = fmt::format(
      "<section id=\"ranks\"><h2>Ranks</h2><p>Mean Dice over the {} cases that all runs were "
      "evaluated on, over their subsets and regions, in {} bootstrap draws of the cases (seed {}). "
      "Intervals of 95 %: BCa of the mean, quantiles of the rank. Ties share the better rank. The "
      "order of a draw agrees with the full one by Kendall's τ<sub>b</sub> = {:.2f} on "
      "average.</p><div class=\"scroll\"><table id=\"rank-table\"><thead><tr><th>Run</th><th>"
      "Dice %</th><th>interval</th><th>Rank</th><th>median</th><th>interval</th><th>first in % of "
      "draws</th><th>Rank by ranks per case</th><th>mean rank</th></tr></thead><tbody>",
      cases, evaluation::kDraws, evaluation::kBootstrapSeed, by_mean.kendall_tau);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto mean = evaluation::bootstrap_mean(scores[i], resamples);
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{} to {}</td><td>{}</td><td>{:g}</td><td>{:g} "
        "to {:g}</td><td>{}</td><td>{}</td><td>{:.2f}</td></tr>",
        run_name(view, view.ranking()[i]), percent(mean.value), percent(mean.bca.low),
        percent(mean.bca.high), by_mean.rank[i], by_mean.median[i], by_mean.interval[i].low,
        by_mean.interval[i].high,
        percent(static_cast<double>(by_mean.frequency[i][0]) / evaluation::kDraws), by_case.rank[i],
        by_case.mean_rank[i]);
  }
  return html + "</tbody></table></div></section>";
}

}  // namespace lacuna::monitoring

// Runs side by side against the best one: differences per subset and region, and whether they are
// more than chance (Wilcoxon's signed-rank test over cases, Holm-corrected over all of them).
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "evaluation/statistics/comparison.h"
#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kOpenComparisons = 1;
// Below six pairs the smallest possible two-sided p is above 0.05: 2 / 2^5 = 0.0625.
constexpr int kFewestCases = 6;

std::string difference(double value) {
  const std::string text = signed_percent(value);
  const char* kind = !std::isfinite(value) || text == "0.0" ? "same" : value > 0 ? "up" : "down";
  return fmt::format("<span class=\"{}\">{}</span>", kind, text);
}

std::string header(const ReportView& view, std::size_t best, std::size_t other) {
  const EvaluationRecord& evaluation = view.evaluation(best);
  std::string html =
      "<div class=\"scroll\"><table class=\"compare\"><thead><tr><th rowspan=\"2\">Available</th>";
  for (const std::string& region : evaluation.regions()) {
    html += fmt::format("<th colspan=\"3\" class=\"group\">{}</th>", escape_html(region));
  }
  html += "<th colspan=\"2\" class=\"group\">mean</th></tr><tr>";
  for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
    for (const std::size_t run : {best, other}) {
      html += fmt::format("<th title=\"{0}\"><span class=\"run c{1}\"></span></th>",
                          escape_html(view.runs()[run].label), view.colour(run));
    }
    html += "<th>diff.</th>";
  }
  return html + "<th>diff.</th><th>p (Holm)</th></tr></thead><tbody>";
}

std::string table(const ReportView& view, std::size_t best, std::size_t other,
                  const std::vector<evaluation::SubsetComparison>& rows) {
  const EvaluationRecord &a = view.evaluation(best), &b = view.evaluation(other);
  const std::size_t regions = std::min(a.regions().size(), b.regions().size());
  std::string html = header(view, best, other);
  for (const evaluation::SubsetComparison& row : rows) {
    html += fmt::format("<tr data-subset=\"{0}\"><th>{0}</th>",
                        escape_html(a.modalities.format(row.subset)));
    for (std::size_t region = 0; region < regions; ++region) {
      const double ours = a.mean(Metric::kDice, row.subset, region),
                   theirs = b.mean(Metric::kDice, row.subset, region);
      html += fmt::format("<td>{}</td><td>{}</td><td class=\"diff\">{}</td>", percent(ours),
                          percent(theirs), difference(ours - theirs));
    }
    html += fmt::format("<td class=\"diff\">{}</td><td class=\"p\">{}{}</td></tr>",
                        difference(row.mean_dice - row.other_mean_dice), probability(row.p_holm),
                        row.p_holm < kLevel ? " ★" : "");
  }
  html += "</tbody><tfoot><tr><th>mean</th>";
  for (std::size_t region = 0; region < regions; ++region) {
    const double ours = a.mean_of_region(Metric::kDice, region),
                 theirs = b.mean_of_region(Metric::kDice, region);
    html += fmt::format("<td>{}</td><td>{}</td><td class=\"diff\">{}</td>", percent(ours),
                        percent(theirs), difference(ours - theirs));
  }
  return html + fmt::format("<td class=\"diff\">{}</td><td></td></tr></tfoot></table></div>",
                            difference(a.mean(Metric::kDice) - b.mean(Metric::kDice)));
}

std::string verdict(const ReportView& view, std::size_t best, std::size_t other,
                    const std::vector<evaluation::SubsetComparison>& rows) {
  int better = 0, worse = 0, cases = 0;
  for (const evaluation::SubsetComparison& row : rows) {
    cases = std::max(cases, row.cases);
    if (row.p_holm >= kLevel) continue;
    (row.mean_dice > row.other_mean_dice ? better : worse) += 1;
  }
  std::string text = fmt::format(
      "<p>{} is significantly better than {} on {} of {} subsets and worse on {} "
      "({} common case{}).",
      run_name(view, best), run_name(view, other), better, rows.size(), worse, cases,
      cases == 1 ? "" : "s");
  if (cases < kFewestCases) {
    text += fmt::format(" With fewer than {} cases no difference can be significant at {}.",
                        kFewestCases, kLevel);
  }
  return text + "</p>";
}

}  // namespace

std::string comparison_section(ReportView& view) {
  if (view.ranking().size() < 2) return "";
  const std::size_t best = view.ranking()[0];
  // All tests of the section are one family.
  std::vector<std::vector<evaluation::SubsetComparison>> comparisons(1);
  std::size_t tests = 0;
  for (std::size_t i = 1; i < view.ranking().size(); ++i) {
    const EvaluationRecord &a = view.evaluation(best), &b = view.evaluation(view.ranking()[i]);
    const bool alike = a.modalities.names() == b.modalities.names();
    comparisons.push_back(alike ? evaluation::compare(a.scores, b.scores, a.modalities)
                                : std::vector<evaluation::SubsetComparison>());
    tests += comparisons.back().size();
  }
  evaluation::adjust_together(comparisons);
  std::string html = fmt::format(
      "<section id=\"comparison\"><h2>Comparison</h2><p>Dice % of the best run, {}, beside each "
      "other run. ★: the mean Dice of the cases differs by Wilcoxon's signed-rank test, p &lt; {} "
      "after Holm's correction over all {} tests below. Cases that only one run was evaluated on "
      "are left out of the test.</p>",
      run_name(view, best), kLevel, tests);
  for (std::size_t i = 1; i < view.ranking().size(); ++i) {
    const std::size_t other = view.ranking()[i];
    const EvaluationRecord &a = view.evaluation(best), &b = view.evaluation(other);
    html += fmt::format("<details{}><summary>{} against {}</summary>",
                        i <= kOpenComparisons ? " open" : "", run_name(view, best),
                        run_name(view, other));
    if (a.modalities.names() != b.modalities.names()) {
      html += "<p class=\"missing\">Left out: the two runs have other modalities.</p></details>";
      continue;
    }
    const auto& rows = comparisons[i];
    if (rows.empty()) {
      html += "<p class=\"missing\">Left out: no case was evaluated by both.</p></details>";
      continue;
    }
    html += verdict(view, best, other, rows) + table(view, best, other, rows) + "</details>";
  }
  return html + "</section>";
}

}  // namespace lacuna::monitoring

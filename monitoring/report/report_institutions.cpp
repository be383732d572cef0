// Box plots per institution: how evenly a method works over sites. Drawn as positioned boxes, not
// as an image, so that they reflow on a phone and print sharply.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kMostRuns = 4;

// Institution -> mean Dice of each of its cases over subsets and regions, ascending.
std::map<std::string, std::vector<double>> case_means(const EvaluationRecord& record) {
  std::map<std::pair<std::string, std::string>, std::vector<double>> by_case;
  for (const evaluation::CaseScore& score : record.scores) {
    auto& values = by_case[{score.institution, score.case_id}];
    for (const evaluation::RegionScore& region : score.regions) values.push_back(region.dice);
  }
  std::map<std::string, std::vector<double>> by_institution;
  for (const auto& [key, values] : by_case) {
    const double mean = evaluation::mean_of(values);
    if (std::isfinite(mean)) by_institution[key.first].push_back(mean);
  }
  for (auto& [name, values] : by_institution) std::sort(values.begin(), values.end());
  return by_institution;
}

// Linear interpolation between order statistics, as NumPy's default.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::string box(const ReportView& view, std::size_t run, const std::vector<double>& values) {
  const double low = values.front(), high = values.back();
  const double q1 = quantile(values, 0.25), median = quantile(values, 0.5),
               q3 = quantile(values, 0.75);
  std::string html = fmt::format(
      "<div class=\"box c{}\" title=\"{}: {} cases, median {} %, quartiles {} to {} %, range {} to "
      "{} %\"><i class=\"whisker\" style=\"left:{:.1f}%;width:{:.1f}%\"></i><i class=\"body\" "
      "style=\"left:{:.1f}%;width:{:.1f}%\"></i><i class=\"median\" style=\"left:{:.1f}%\"></i>",
      view.colour(run), escape_html(view.runs()[run].label), values.size(), percent(median),
      percent(q1), percent(q3), percent(low), percent(high), 100 * low, 100 * (high - low),
      100 * q1, 100 * (q3 - q1), 100 * median);
  if (values.size() <= 40) {  // few enough to see each case
    for (const double value : values) {
      html += fmt::format("<i class=\"case\" style=\"left:{:.1f}%\"></i>", 100 * value);
    }
  }
  return html + fmt::format("<b>{}</b></div>", percent(median));
}

}  // namespace

std::string institution_section(ReportView& view) {
  if (view.ranking().empty()) return "";
  const std::string open = "<section id=\"institutions\"><h2>Institutions</h2>";
  std::vector<std::size_t> shown = view.ranking();
  if (shown.size() > kMostRuns) shown.resize(kMostRuns);
  std::map<std::string, std::map<std::size_t, std::vector<double>>> boxes;
  for (const std::size_t run : shown) {
    for (const auto& [name, values] : case_means(view.evaluation(run))) {
      boxes[name][run] = values;
    }
  }
  if (boxes.size() <= 1 && boxes.contains("")) {
    return open +
           "<p class=\"missing\">Left out: the cohort does not say where its cases come "
           "from.</p></section>";
  }
  std::string html =
      open +
      "<p>Dice % of each case, averaged over subsets and regions: box from the first "
      "to the third quartile, line at the median, whiskers over all cases.";
  if (view.ranking().size() > kMostRuns) {
    html += fmt::format(" The {} best runs.", kMostRuns);
  }
  html += "</p><div class=\"boxes\"><div class=\"legend\">";
  for (const std::size_t run : shown) html += run_name(view, run) + " ";
  html += "</div>";
  for (const auto& [name, runs] : boxes) {
    html += fmt::format("<div class=\"site\"><h3>{} <small>{} case{}</small></h3>",
                        name.empty() ? "unknown" : escape_html(name), runs.begin()->second.size(),
                        runs.begin()->second.size() == 1 ? "" : "s");
    for (const auto& [run, values] : runs) html += box(view, run, values);
    html += "</div>";
  }
  return html +
         "<div class=\"axis\"><span>0</span><span>25</span><span>50</span><span>75</span>"
         "<span>100</span></div></div></section>";
}

}  // namespace lacuna::monitoring

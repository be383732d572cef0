// Configurations that were run more than once: means and deviations over seeds and folds, subset by
// subset, and whether they differ from the best by more than chance.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>

#include <fmt/format.h>

#include "evaluation/statistics/comparison.h"
#include "monitoring/report/html.h"
#include "monitoring/report/replicates.h"

namespace lacuna::monitoring {
namespace {

using Value = std::function<double(const EvaluationRecord&)>;

Spread spread(const ReportView& view, const Replicates& group, const Value& value) {
  std::vector<double> values;
  for (const std::size_t run : group.runs) values.push_back(value(view.evaluation(run)));
  return spread_of(values);
}

std::string cell(const Spread& spread, std::string (*format)(double)) {
  if (!std::isfinite(spread.mean)) return "<td>–</td>";
  const std::string deviation =
      std::isfinite(spread.deviation) ? " ± " + format(spread.deviation) : "";
  return fmt::format("<td>{}{}</td>", format(spread.mean), deviation);
}

struct Look {
  int colour = 0;
  bool dashed = false;
  bool operator==(const Look&) const = default;
};

// That of the runs, unless it would make two configurations look alike.
std::vector<Look> looks_of(const ReportView& view, const std::vector<Replicates>& groups) {
  std::vector<Look> looks;
  bool alike = false;
  for (const Replicates& group : groups) {
    const std::size_t run = group.runs.front();
    const Look look{view.colour(run), view.dashed(run)};
    alike |= std::find(looks.begin(), looks.end(), look) != looks.end();
    looks.push_back(look);
  }
  if (!alike) return looks;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    looks[i] = {static_cast<int>(i) % kColours, i >= std::size_t{kColours}};
  }
  return looks;
}

std::string name_of(const Replicates& group, const Look& look) {
  return fmt::format("<span class=\"run c{}\">{}</span>", look.colour, escape_html(group.label));
}

std::string summary_table(const ReportView& view, const std::vector<Replicates>& groups,
                          const std::vector<Look>& looks) {
  const EvaluationRecord& first = view.evaluation(groups[0].runs[0]);
  const std::size_t regions = first.regions().size();
  std::string html = fmt::format(
      "<div class=\"scroll\"><table id=\"means\"><thead><tr><th "
      "rowspan=\"2\">Configuration</th><th "
      "rowspan=\"2\">Runs</th><th colspan=\"{}\" class=\"group\">Dice %, all subsets</th><th "
      "colspan=\"{}\" class=\"group\">Dice % by number of modalities</th><th class=\"group\">HD95 "
      "mm</th></tr><tr><th>mean</th>",
      regions + 1, first.modalities.size());
  for (const std::string& region : first.regions()) {
    html += fmt::format("<th>{}</th>", escape_html(region));
  }
  for (int k = 1; k <= first.modalities.size(); ++k) html += fmt::format("<th>{}</th>", k);
  html += "<th>mean</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Replicates& group = groups[i];
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", name_of(group, looks[i]),
                        group.runs.size());
    html += cell(spread(view, group, [](const auto& each) { return each.mean(Metric::kDice); }),
                 percent);
    for (std::size_t r = 0; r < regions; ++r) {
      html += cell(spread(view, group,
                          [r](const auto& each) {
                            return r < each.regions().size() ? each.mean_of_region(Metric::kDice, r)
                                                             : std::nan("");
                          }),
                   percent);
    }
    for (int k = 1; k <= first.modalities.size(); ++k) {
      html += cell(spread(view, group,
                          [k](const auto& each) {
                            return k <= each.modalities.size() ? each.mean_of_size(Metric::kDice, k)
                                                               : std::nan("");
                          }),
                   percent);
    }
    html += cell(spread(view, group, [](const auto& each) { return each.mean(Metric::kHd95); }),
                 millimetres) +
            "</tr>";
  }
  return html + "</tbody></table></div>";
}

double subset_dice(const EvaluationRecord& evaluation, data::SubsetMask subset) {
  std::vector<double> values;
  for (std::size_t r = 0; r < evaluation.regions().size(); ++r) {
    values.push_back(evaluation.mean(Metric::kDice, subset, r));
  }
  return evaluation::mean_of(values);
}

// Corrected p of each subset against the best configuration.
using Tests = std::map<data::SubsetMask, double>;

// Of each configuration; the first has none. All tests of the table are one family.
std::vector<Tests> tests_against_first(const ReportView& view,
                                       const std::vector<Replicates>& groups,
                                       const data::ModalitySet& modalities) {
  const auto best = pooled_scores(view, groups[0].runs);
  std::vector<std::vector<evaluation::SubsetComparison>> comparisons(groups.size());
  for (std::size_t i = 1; i < groups.size(); ++i) {
    if (view.evaluation(groups[i].runs[0]).modalities.names() != modalities.names()) continue;
    comparisons[i] = evaluation::compare(best, pooled_scores(view, groups[i].runs), modalities);
  }
  evaluation::adjust_together(comparisons);
  std::vector<Tests> tests(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const auto& row : comparisons[i]) tests[i][row.subset] = row.p_holm;
  }
  return tests;
}

std::string subset_table(const ReportView& view, const std::vector<Replicates>& groups,
                         const std::vector<Look>& looks) {
  const data::ModalitySet& modalities = view.evaluation(groups[0].runs[0]).modalities;
  const std::vector<Tests> tests = tests_against_first(view, groups, modalities);
  std::string html =
      "<div class=\"scroll\"><table id=\"mean-subsets\"><thead><tr><th>Available</th>";
  for (std::size_t i = 0; i < groups.size(); ++i) {
    html += fmt::format("<th>{}</th>", name_of(groups[i], looks[i]));
  }
  html += "</tr></thead><tbody>";
  for (const data::SubsetMask subset : modalities.subsets()) {
    html +=
        fmt::format("<tr data-subset=\"{0}\"><th>{0}</th>", escape_html(modalities.format(subset)));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      std::string text = cell(
          spread(view, groups[i], [subset](const auto& each) { return subset_dice(each, subset); }),
          percent);
      const auto test = tests[i].find(subset);
      if (test != tests[i].end() && test->second < kLevel) text.insert(text.size() - 5, " ★");
      html += text;
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

Chart curves(const ReportView& view, const std::vector<Replicates>& groups,
             const std::vector<Look>& looks) {
  Chart chart{"Mean over the runs of each configuration",
              "available modalities",
              "Dice",
              true,
              false,
              true,
              {{"mean of regions", {}}}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Replicates& group = groups[i];
    ChartLine line{group.label, looks[i].colour, looks[i].dashed, {}};
    const int sizes = view.evaluation(group.runs[0]).modalities.size();
    for (int k = 1; k <= sizes; ++k) {
      line.points.x.push_back(k);
      line.points.y.push_back(spread(view, group, [k](const auto& each) {
                                return k <= each.modalities.size()
                                           ? each.mean_of_size(Metric::kDice, k)
                                           : std::nan("");
                              }).mean);
    }
    chart.variants[0].lines.push_back(std::move(line));
  }
  return chart;
}

}  // namespace

std::string replicates_section(ReportView& view) {
  const std::vector<Replicates> groups = find_replicates(view);
  const bool repeated = std::any_of(groups.begin(), groups.end(),
                                    [](const Replicates& group) { return group.runs.size() > 1; });
  if (!repeated) return "";
  const std::vector<Look> looks = looks_of(view, groups);
  return fmt::format(
      "<section id=\"replicates\"><h2>Means over seeds and folds</h2><p>Runs that differ in seed "
      "and "
      "split only are repetitions of one configuration: mean ± deviation over them (of a sample, n "
      "− 1). ★: differs from the first configuration by Wilcoxon's signed-rank test over "
      "cases, p &lt; {} after Holm's correction over all tests of the table; the score of a case "
      "is its mean "
      "over the runs that were evaluated on it, so folds add up to the cohort.</p>{}{}<h3>All "
      "subsets, mean Dice % of the regions</h3>{}</section>",
      kLevel, summary_table(view, groups, looks), view.add_chart(curves(view, groups, looks)),
      subset_table(view, groups, looks));
}

}  // namespace lacuna::monitoring

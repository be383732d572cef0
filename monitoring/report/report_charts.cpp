// The curves of a report: robustness over the number of modalities, and the course of training.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr int kOpenDiagnostics = 4;

Series curve(const EvaluationRecord& evaluation, int region) {
  Series series;
  for (int k = 1; k <= evaluation.modalities.size(); ++k) {
    series.x.push_back(k);
    series.y.push_back(
        region < 0 ? evaluation.mean_of_size(Metric::kDice, k)
                   : evaluation.mean_of_size(Metric::kDice, k, static_cast<std::size_t>(region)));
  }
  return series;
}

// One line per run that has the series.
template <typename Select>
ChartVariant over_runs(const ReportView& view, const std::string& name, const Select& select) {
  ChartVariant variant{name, {}};
  for (std::size_t i = 0; i < view.runs().size(); ++i) {
    const Series* series = select(view.runs()[i]);
    if (!series || series->x.empty()) continue;
    variant.lines.push_back({view.runs()[i].label, view.colour(i), view.dashed(i), *series});
  }
  return variant;
}

const Series* find(const std::map<std::string, Series>& series, const std::string& name) {
  const auto found = series.find(name);
  return found == series.end() ? nullptr : &found->second;
}

std::string loss_chart(ReportView& view) {
  Chart chart{"Training loss", "step", "loss"};
  chart.variants.push_back(
      over_runs(view, "total", [](const RunRecord& run) { return &run.loss; }));
  std::set<std::string> parts;
  for (const RunRecord& run : view.runs()) {
    for (const auto& [name, series] : run.losses) parts.insert(name);
  }
  for (const std::string& part : parts) {
    chart.variants.push_back(
        over_runs(view, part, [&](const RunRecord& run) { return find(run.losses, part); }));
  }
  return chart.variants[0].lines.empty() ? "" : view.add_chart(chart);
}

// The group with the most points first: it is trained at every step, others now and then.
std::string rate_chart(ReportView& view) {
  Chart chart{"Learning rate", "step", "learning rate"};
  std::map<std::string, std::size_t> groups;
  for (const RunRecord& run : view.runs()) {
    for (const auto& [name, series] : run.learning_rates) groups[name] += series.x.size();
  }
  std::vector<std::pair<std::size_t, std::string>> order;
  for (const auto& [name, points] : groups) order.emplace_back(points, name);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [points, group] : order) {
    chart.variants.push_back(
        over_runs(view, group.empty() ? "all" : group,
                  [&](const RunRecord& run) { return find(run.learning_rates, group); }));
  }
  return chart.variants.empty() ? "" : view.add_chart(chart);
}

std::string single_chart(ReportView& view, Chart chart, const Series RunRecord::*member) {
  chart.variants.push_back(
      over_runs(view, "", [&](const RunRecord& run) { return &(run.*member); }));
  return chart.variants[0].lines.empty() ? "" : view.add_chart(chart);
}

// "importance/T1c" belongs to the chart "importance" under the name "T1c".
std::pair<std::string, std::string> split_name(const std::string& name) {
  const std::size_t at = name.find_last_of("./: ");
  if (at == std::string::npos) return {"", name};
  return {name.substr(0, at), name.substr(at + 1)};
}

// What a method reports about itself (importance weights): per run, since its lines are the names.
std::string diagnostic_charts(ReportView& view, const RunRecord& run) {
  std::string html;
  std::map<std::string, ChartVariant> groups;
  for (const auto& [name, series] : run.diagnostics) {
    const auto [group, line] = split_name(name);
    ChartVariant& variant = groups[group];
    variant.lines.push_back({line, static_cast<int>(variant.lines.size() % 8), false, series});
  }
  for (auto& [group, variant] : groups) {
    const std::string what = group.empty() ? "diagnostics" : group;
    html += view.add_chart(
        {fmt::format("{}: {}", run.label, what), "step", what, false, false, false, {variant}});
  }
  return html;
}

// Of the best runs in sight, of the others on request.
std::string diagnostic_charts(ReportView& view) {
  std::vector<std::size_t> order = view.ranking();
  for (std::size_t i = 0; i < view.runs().size(); ++i) {
    if (std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
  }
  std::string html, more;
  int with_charts = 0;
  for (const std::size_t i : order) {
    const std::string charts = diagnostic_charts(view, view.runs()[i]);
    if (charts.empty()) continue;
    (++with_charts <= kOpenDiagnostics ? html : more) += charts;
  }
  if (html.empty()) return "";
  html = "<div class=\"charts\">" + html + "</div>";
  if (more.empty()) return html;
  return html + fmt::format(
                    "<details><summary>{} more runs</summary><div class=\"charts\">{}</div>"
                    "</details>",
                    with_charts - kOpenDiagnostics, more);
}

}  // namespace

std::string robustness_section(ReportView& view) {
  if (view.ranking().empty()) return "";
  const EvaluationRecord& first = view.evaluation(view.ranking()[0]);
  Chart chart{"Mean Dice over all subsets of that size, all cases",
              "available modalities",
              "Dice",
              true,
              false,
              true,
              {}};
  for (int region = -1; region < static_cast<int>(first.regions().size()); ++region) {
    ChartVariant variant{
        region < 0 ? "mean of regions" : first.regions()[static_cast<std::size_t>(region)], {}};
    for (const std::size_t run : view.ranking()) {
      const EvaluationRecord& evaluation = view.evaluation(run);
      if (region >= static_cast<int>(evaluation.regions().size())) continue;
      variant.lines.push_back(
          {view.runs()[run].label, view.colour(run), view.dashed(run), curve(evaluation, region)});
    }
    chart.variants.push_back(variant);
  }
  return fmt::format(
      "<section id=\"robustness\"><h2>Robustness</h2><p>How much of the segmentation is kept when "
      "fewer modalities are there. A robust method stays high to the left.</p>{}</section>",
      view.add_chart(chart));
}

std::string training_section(ReportView& view) {
  std::string charts = loss_chart(view) + rate_chart(view);
  charts +=
      single_chart(view, {"Validation: mean Dice over subsets and regions", "step", "Dice", true},
                   &RunRecord::validation);
  charts += single_chart(view, {"Training speed", "step", "samples per second"},
                         &RunRecord::samples_per_second);
  const std::string diagnostics = diagnostic_charts(view);
  if (charts.empty() && diagnostics.empty()) {
    return "<section id=\"training\"><h2>Training</h2><p class=\"missing\">No curves: none of the "
           "runs has a metrics.jsonl with steps in it yet.</p></section>";
  }
  std::string html =
      "<section id=\"training\"><h2>Training</h2><div class=\"charts\">" + charts + "</div>";
  if (!diagnostics.empty()) {
    html +=
        "<h3>What the method reports about itself</h3><p>Values that it logs beside its "
        "losses, such as learned importance weights of the modalities.</p>" +
        diagnostics;
  }
  return html + "</section>";
}

}  // namespace lacuna::monitoring

// The 15 x 3 tables: a row per modality subset in canonical order, a column per region, Dice and
// HD95 side by side, shaded on one scale for all runs so that tables compare at a glance.
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kOpenTables = 4;  // more runs than this: their tables are folded away

// Where values lie between the worst and the best cell of all tables, in 11 shades.
struct Scale {
  double worst = 0, best = 1;
  bool logarithmic = false;

  int shade(double value) const {
    if (!std::isfinite(value)) return -1;
    const auto at = [&](double x) { return logarithmic ? std::log(std::max(x, 0.1)) : x; };
    const double span = at(best) - at(worst);
    const double position = span == 0 ? 1 : (at(value) - at(worst)) / span;
    return static_cast<int>(std::lround(10 * std::clamp(position, 0.0, 1.0)));
  }
};

Scale find_scale(const ReportView& view, Metric metric) {
  double low = INFINITY, high = -INFINITY;
  for (const std::size_t run : view.ranking()) {
    const EvaluationRecord& evaluation = view.evaluation(run);
    for (const data::SubsetMask subset : evaluation.modalities.subsets()) {
      for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
        const double value = evaluation.mean(metric, subset, region);
        if (!std::isfinite(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
      }
    }
  }
  return metric == Metric::kDice ? Scale{low, high, false} : Scale{high, low, true};
}

std::string cell(Metric metric, double value, const Scale& scale) {
  const std::string text = metric == Metric::kDice ? percent(value) : millimetres(value);
  const int shade = scale.shade(value);
  if (shade < 0) return "<td class=\"none\">–</td>";
  return fmt::format("<td class=\"h{}\">{}</td>", shade, text);
}

std::string cells(const EvaluationRecord& evaluation, data::SubsetMask subset, const Scale& dice,
                  const Scale& hd95) {
  std::string html;
  for (const Metric metric : {Metric::kDice, Metric::kHd95}) {
    for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
      html += cell(metric, evaluation.mean(metric, subset, region),
                   metric == Metric::kDice ? dice : hd95);
    }
  }
  return html;
}

std::string table(const EvaluationRecord& evaluation, const Scale& dice, const Scale& hd95) {
  const data::ModalitySet& modalities = evaluation.modalities;
  std::string html = fmt::format(
      "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th colspan=\"{}\" class=\"group\">"
      "Available</th><th colspan=\"{}\" class=\"group\">Dice %</th><th colspan=\"{}\" "
      "class=\"group\">HD95 mm</th></tr><tr>",
      modalities.size(), evaluation.regions().size(), evaluation.regions().size());
  for (const std::string& name : modalities.names()) {
    html += fmt::format("<th class=\"dot\">{}</th>", escape_html(name));
  }
  for (int metric = 0; metric < 2; ++metric) {
    for (const std::string& region : evaluation.regions()) {
      html += fmt::format("<th>{}</th>", escape_html(region));
    }
  }
  html += "</tr></thead><tbody>";
  for (const data::SubsetMask subset : modalities.subsets()) {
    html += fmt::format("<tr data-subset=\"{}\">", escape_html(modalities.format(subset)));
    for (int m = 0; m < modalities.size(); ++m) {
      const bool there = data::contains(subset, m);
      html += fmt::format("<td class=\"dot\" title=\"{} {}\">{}</td>",
                          escape_html(modalities.names()[static_cast<std::size_t>(m)]),
                          there ? "available" : "missing", there ? "●" : "○");
    }
    html += cells(evaluation, subset, dice, hd95) + "</tr>";
  }
  html += fmt::format("</tbody><tfoot><tr><th colspan=\"{}\">mean</th>", modalities.size());
  for (const Metric metric : {Metric::kDice, Metric::kHd95}) {
    for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
      const double value = evaluation.mean_of_region(metric, region);
      html +=
          fmt::format("<td>{}</td>", metric == Metric::kDice ? percent(value) : millimetres(value));
    }
  }
  return html + "</tr></tfoot></table></div>";
}

}  // namespace

std::string heat_section(ReportView& view) {
  if (view.ranking().empty()) return "";
  const Scale dice = find_scale(view, Metric::kDice), hd95 = find_scale(view, Metric::kHd95);
  const EvaluationRecord& first = view.evaluation(view.ranking()[0]);
  std::string html = fmt::format(
      "<section id=\"subsets\"><h2>All {} subsets</h2><p>Mean over the cases. ● available, ○ "
      "missing. <span class=\"scale\"><span class=\"swatch h0\">worse</span><span class=\"swatch "
      "h5\"></span><span "
      "class=\"swatch h10\">better</span></span> on one scale for all runs.{}</p><div "
      "class=\"tables\">",
      first.modalities.subsets().size(),
      std::isfinite(hd95.best) ? "" : " HD95 was not computed in this evaluation.");
  std::size_t position = 0;
  for (const std::size_t run : view.ranking()) {
    html += fmt::format("<details{}><summary>{}</summary>{}</details>",
                        position++ < kOpenTables ? " open" : "", run_name(view, run),
                        table(view.evaluation(run), dice, hd95));
  }
  return html + "</div></section>";
}

}  // namespace lacuna::monitoring

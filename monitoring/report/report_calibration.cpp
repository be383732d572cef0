// Whether the probabilities mean what they say: ECE and Brier score of each region under each
// subset, of the evaluations that measured them (lacuna eval --calibration).
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr const char* kColumns[] = {"ece", "brier"};

// A mean over the cases; NaN where summary.json has none.
double measured(const Json& means, const std::string& region, const char* column) {
  const Json::json_pointer place =
      Json::json_pointer() / "scores" / region / "calibration" / column;
  const Json found = means.is_object() && means.contains(place) ? means[place] : Json();
  return found.is_number() ? found.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

bool is_calibrated(const EvaluationRecord& evaluation) {
  for (const std::string& region : evaluation.regions()) {
    const Json means = evaluation.about.value("mean", Json());
    if (std::isfinite(measured(means, region, kColumns[0]))) return true;
  }
  return false;
}

std::string cells(const EvaluationRecord& evaluation, const Json& means) {
  std::string html;
  for (const char* column : kColumns) {
    for (const std::string& region : evaluation.regions()) {
      const double value = measured(means, region, column);
      html += std::isfinite(value) ? fmt::format("<td>{:.4f}</td>", value)
                                   : std::string("<td class=\"none\">–</td>");
    }
  }
  return html;
}

std::string table(const EvaluationRecord& evaluation) {
  std::string html = fmt::format(
      "<div class=\"scroll\"><table><thead><tr><th></th><th colspan=\"{0}\" "
      "class=\"group\">ECE</th>"
      "<th colspan=\"{0}\" class=\"group\">Brier score</th></tr><tr><th>Available</th>",
      evaluation.regions().size());
  for (std::size_t column = 0; column < std::size(kColumns); ++column) {
    for (const std::string& region : evaluation.regions()) {
      html += fmt::format("<th>{}</th>", escape_html(region));
    }
  }
  html += "</tr></thead><tbody>";
  const Json& about = evaluation.about;
  for (const Json& subset : about.value("subsets", Json::array())) {
    html += fmt::format("<tr><th>{}</th>{}</tr>", escape_html(subset.value("subset", "")),
                        cells(evaluation, subset));
  }
  return html + fmt::format("</tbody><tfoot><tr><th>mean</th>{}</tr></tfoot></table></div>",
                            cells(evaluation, about.value("mean", Json())));
}

}  // namespace

std::string calibration_section(ReportView& view) {
  std::string tables;
  for (const std::size_t run : view.ranking()) {
    const EvaluationRecord& evaluation = view.evaluation(run);
    if (!is_calibrated(evaluation)) continue;
    tables += fmt::format("<details open><summary>{}</summary>{}</details>", run_name(view, run),
                          table(evaluation));
  }
  if (tables.empty()) return "";
  return "<section id=\"calibration\"><h2>Calibration</h2><p>Means over the cases, over the voxels "
         "of the brain; lower is better. ECE: how far the mean probability of a region lies from "
         "its "
         "share of voxels, over 20 bins of probability. Brier score: mean squared difference of "
         "probability and truth, which falls with the size of the region as well: compare it "
         "within "
         "a column only.</p><div class=\"tables\">" +
         tables + "</div></section>";
}

}  // namespace lacuna::monitoring

#include "monitoring/report_view.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "monitoring/html.h"

namespace lacuna::monitoring {
namespace {

constexpr int kColours = 8;                  // --series-0 ... --series-7 in assets/report.css
constexpr std::size_t kPointsPerLine = 400;  // more than a chart has pixels to tell apart

std::string chosen_evaluation(const std::vector<RunRecord>& runs) {
  std::map<std::string, int> count;
  for (const RunRecord& run : runs) {
    for (const EvaluationRecord& evaluation : run.evaluations) ++count[evaluation.name];
  }
  std::string best;
  const auto merit = [&](const std::string& name) {
    return std::pair(count[name], name.ends_with("-test") ? 1 : 0);
  };
  for (const auto& [name, runs_with_it] : std::map(count)) {
    if (best.empty() || merit(name) > merit(best)) best = name;
  }
  return best;
}

Json point_list(const Series& series) {
  Json points = Json::array();
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const double y = series.y[i];
    // Six significant digits: enough for any screen, and half the bytes.
    points.push_back(Json::array(
        {series.x[i], std::isfinite(y) ? Json(std::stod(fmt::format("{:.6g}", y))) : Json()}));
  }
  return points;
}

}  // namespace

ReportView::ReportView(const std::vector<RunRecord>& runs)
    : runs_(runs), evaluation_(chosen_evaluation(runs)) {
  std::map<std::string, int> method_colour;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const int next = static_cast<int>(method_colour.size());
    const int shared = method_colour.try_emplace(runs[i].method, next).first->second;
    colours_.push_back(runs.size() <= kColours ? static_cast<int>(i) : shared);
    if (!evaluation_.empty() && runs[i].evaluation(evaluation_)) ranking_.push_back(i);
  }
  std::stable_sort(ranking_.begin(), ranking_.end(), [&](std::size_t a, std::size_t b) {
    return evaluation(a).mean(Metric::kDice) > evaluation(b).mean(Metric::kDice);
  });
}

const EvaluationRecord& ReportView::evaluation(std::size_t run) const {
  const EvaluationRecord* found = runs_.at(run).evaluation(evaluation_);
  if (!found) throw_error<Error>("{}: no evaluation {}", runs_[run].label, evaluation_);
  return *found;
}

int ReportView::colour(std::size_t run) const { return colours_.at(run) % kColours; }

bool ReportView::dashed(std::size_t run) const { return colours_.at(run) / kColours % 2 == 1; }

std::string ReportView::add_chart(const Chart& chart) {
  Json variants = Json::array();
  for (const ChartVariant& variant : chart.variants) {
    Json lines = Json::array();
    for (const ChartLine& line : variant.lines) {
      lines.push_back({{"label", line.label},
                       {"colour", line.colour},
                       {"dashed", line.dashed},
                       {"points", point_list(thin(line.points, kPointsPerLine))}});
    }
    variants.push_back({{"name", variant.name}, {"lines", lines}});
  }
  charts_.push_back({{"x", chart.x_label},
                     {"y", chart.y_label},
                     {"percent", chart.percent},
                     {"log", chart.logarithmic},
                     {"whole", chart.whole_x},
                     {"variants", variants}});
  return fmt::format(
      "<figure class=\"chart\"><figcaption>{0}</figcaption><div class=\"plot\">"
      "<canvas data-chart=\"{1}\" role=\"img\" aria-label=\"{0}\"></canvas></div></figure>",
      escape_html(chart.title), charts_.size() - 1);
}

std::string run_name(const ReportView& view, std::size_t run) {
  return fmt::format("<span class=\"run c{}\">{}</span>", view.colour(run),
                     escape_html(view.runs()[run].label));
}

}  // namespace lacuna::monitoring

#include "monitoring/report/report_view.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text/options.h"
#include "monitoring/report/html.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kPointsPerLine = 400;  // more than a chart has pixels to tell apart

// What the evaluation is called when runs are compared: its name, or "*-test" where it is the test
// part of the run's own split.
std::string comparable_name(const RunRecord& run, const EvaluationRecord& evaluation) {
  const Json* split = find_path(run.config, "data.split");
  if (!split || !split->is_string()) return evaluation.name;
  const std::string own = split->get<std::string>() + "-";
  return evaluation.name.starts_with(own) ? "*-" + evaluation.name.substr(own.size())
                                          : evaluation.name;
}

std::string most_common_evaluation(const std::vector<RunRecord>& runs) {
  std::map<std::string, int> count;
  for (const RunRecord& run : runs) {
    for (const EvaluationRecord& evaluation : run.evaluations) {
      ++count[comparable_name(run, evaluation)];
    }
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

std::vector<const EvaluationRecord*> choose_evaluations(const std::vector<RunRecord>& runs) {
  const std::string name = most_common_evaluation(runs);
  std::vector<const EvaluationRecord*> chosen;
  for (const RunRecord& run : runs) {
    chosen.push_back(nullptr);
    for (const EvaluationRecord& evaluation : run.evaluations) {
      if (comparable_name(run, evaluation) == name) chosen.back() = &evaluation;
    }
  }
  return chosen;
}

// Keeps the evaluations that compare with the one that most of them compare with.
std::vector<ReportView::Apart> set_apart(std::vector<const EvaluationRecord*>& chosen) {
  const auto why = [&](std::size_t i, std::size_t j) {
    return evaluation::why_not_comparable(chosen[i]->identity, chosen[j]->identity);
  };
  std::size_t reference = chosen.size();
  std::size_t most = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    std::size_t like = 0;
    for (std::size_t j = 0; chosen[i] && j < chosen.size(); ++j) {
      like += chosen[j] && why(i, j).empty() ? 1 : 0;
    }
    if (like > most) {
      most = like;
      reference = i;
    }
  }
  std::vector<ReportView::Apart> apart;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    const std::string reason = why(i, reference);
    if (!reason.empty()) apart.push_back({i, chosen[i], reason});
  }
  for (const auto& each : apart) chosen[each.run] = nullptr;
  return apart;
}

// For people.
std::string shared_name(const std::vector<const EvaluationRecord*>& chosen) {
  std::string name;
  for (const EvaluationRecord* evaluation : chosen) {
    if (!evaluation || evaluation->name == name) continue;
    if (!name.empty()) {
      return evaluation->name.substr(evaluation->name.rfind('-') + 1) + " of each run's split";
    }
    name = evaluation->name;
  }
  return name;
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
    : runs_(runs), chosen_(choose_evaluations(runs)) {
  apart_ = set_apart(chosen_);
  evaluation_ = shared_name(chosen_);
  std::map<std::string, int> method_colour;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const int next = static_cast<int>(method_colour.size());
    const int shared = method_colour.try_emplace(runs[i].method, next).first->second;
    colours_.push_back(runs.size() <= kColours ? static_cast<int>(i) : shared);
    if (chosen_[i]) ranking_.push_back(i);
  }
  std::stable_sort(ranking_.begin(), ranking_.end(), [&](std::size_t a, std::size_t b) {
    return evaluation(a).mean(Metric::kDice) > evaluation(b).mean(Metric::kDice);
  });
}

const EvaluationRecord& ReportView::evaluation(std::size_t run) const {
  const EvaluationRecord* found = chosen_.at(run);
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

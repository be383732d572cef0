// What every section of a report shares: the runs, which evaluation is compared, their order of
// merit, and the charts that the page's script draws.
//
// Used by one thread while a report is made; refers to runs that the caller owns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "monitoring/report/run_record.h"

namespace lacuna::monitoring {

inline constexpr int kColours = 8;      // --series-0 ... --series-7 in assets/report.css
inline constexpr double kLevel = 0.05;  // differences with a smaller p are called significant

// A line chart as assets/report.js draws it. With several variants (regions, loss parts) the page
// offers a button for each.
struct ChartLine {
  std::string label;
  int colour = 0;  // index of a --series-N colour
  bool dashed = false;
  Series points;
};
struct ChartVariant {
  std::string name;
  std::vector<ChartLine> lines;
};
struct Chart {
  std::string title, x_label, y_label;
  bool percent = false;      // values are fractions, shown as percent
  bool logarithmic = false;  // y axis
  bool whole_x = false;      // ticks at whole numbers only
  std::vector<ChartVariant> variants;
};

class ReportView {
 public:
  explicit ReportView(const std::vector<RunRecord>& runs);

  const std::vector<RunRecord>& runs() const { return runs_; }
  // The evaluation that most runs have; test before validation. Runs of several folds are compared
  // by the same part of their own splits: "test of each run's split". "" when no run has one.
  const std::string& evaluation_name() const { return evaluation_; }
  // Indices of the runs that have it, highest mean Dice over all subsets first.
  const std::vector<std::size_t>& ranking() const { return ranking_; }
  const EvaluationRecord& evaluation(std::size_t run) const;
  // Runs whose evaluation of that name must not be compared with the others': by other definitions
  // or on other data. They are in no ranking, but in a table of their own.
  struct Apart {
    std::size_t run = 0;
    const EvaluationRecord* evaluation = nullptr;
    std::string why;
  };
  const std::vector<Apart>& apart() const { return apart_; }
  // Methods in order of appearance; runs of one method share a colour when there are many runs.
  int colour(std::size_t run) const;
  bool dashed(std::size_t run) const;  // tells apart runs whose colours repeat

  // A placeholder for the chart; its data goes to the page's script.
  std::string add_chart(const Chart& chart);
  const Json& charts() const { return charts_; }

 private:
  const std::vector<RunRecord>& runs_;
  std::string evaluation_;
  std::vector<const EvaluationRecord*> chosen_;  // of each run; nullptr: none
  std::vector<std::size_t> ranking_;
  std::vector<Apart> apart_;
  std::vector<int> colours_;
  Json charts_ = Json::array();
};

// <span class="run" ...>label</span>: the run's name with its colour beside it.
std::string run_name(const ReportView& view, std::size_t run);

// One section of the page each; "" when there is nothing to say.
std::string headline_section(ReportView& view);
std::string replicates_section(ReportView& view);
std::string robustness_section(ReportView& view);
std::string heat_section(ReportView& view);
std::string calibration_section(ReportView& view);
std::string comparison_section(ReportView& view);
std::string rank_section(ReportView& view);
std::string published_section(ReportView& view);
std::string training_section(ReportView& view);
std::string overlay_section(ReportView& view);
std::string institution_section(ReportView& view);
std::string provenance_section(ReportView& view);

}  // namespace lacuna::monitoring

#include "monitoring/report/report.h"

#include <fmt/format.h>

#include "coordinator/assets.h"
#include "monitoring/assets.h"
#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

struct Section {
  const char* id;
  const char* title;
  std::string (*make)(ReportView&);
};

constexpr Section kSections[] = {
    {"summary", "Result", headline_section},
    {"replicates", "Means", replicates_section},
    {"robustness", "Robustness", robustness_section},
    {"subsets", "Subsets", heat_section},
    {"calibration", "Calibration", calibration_section},
    {"comparison", "Comparison", comparison_section},
    {"ranks", "Ranks", rank_section},
    {"published", "Published", published_section},
    {"training", "Training", training_section},
    {"overlays", "Cases", overlay_section},
    {"institutions", "Institutions", institution_section},
    {"provenance", "Provenance", provenance_section},
};

// Nothing may be loaded from outside, and no script may run but ours: the page says so itself.
constexpr const char* kPolicy =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

}  // namespace

std::string make_report(const std::vector<RunRecord>& runs, const std::string& made) {
  ReportView view(runs);
  std::string body, links;
  for (const Section& section : kSections) {
    const std::string html = section.make(view);
    if (html.empty()) continue;
    links += fmt::format("<a href=\"#{}\">{}</a>", section.id, section.title);
    body += html;
  }
  std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  page += fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", kPolicy);
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  page += "<title>Lacuna report</title>\n<style>\n";
  page += coordinator::assets::kTheme;
  page += assets::kStyle;
  page += "</style>\n</head>\n<body>\n<header><h1>Lacuna report</h1>";
  page += fmt::format("<p>{} run{}, made {}</p>", runs.size(), runs.size() == 1 ? "" : "s",
                      escape_html(made));
  page += "<button id=\"theme\" type=\"button\" title=\"Light or dark\">◐</button></header>\n";
  page += "<nav>" + links + "</nav>\n<main>" + body + "</main>\n";
  page += "<script type=\"application/json\" id=\"charts\">" + script_json(view.charts()) +
          "</script>\n<script>";
  page += coordinator::assets::kChartLibrary;
  page += "</script>\n<script>";
  page += coordinator::assets::kLineChart;
  page += assets::kScript;
  return page + "</script>\n</body>\n</html>\n";
}

}  // namespace lacuna::monitoring
